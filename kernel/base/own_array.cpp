#include "kernel/base/own_array.h"

#include <cstring>

namespace cairn {

void* allocate_elements(usize count, usize size, usize alignment, bool zeros) {
    if (count == 0 || count > ~usize{0} / size) {
        return nullptr;
    }
    void* memory = heap_allocate(count * size, alignment);
    if (memory != nullptr && zeros) {
        std::memset(memory, 0, count * size);
    }
    return memory;
}

}  // namespace cairn
