#pragma once
/// What AML computes with (ACPI 6.5, 19.3.5 and 20), and the memory that it is made of.
///
/// Nothing is freed before the whole: an Arena grows to a limit, which with the interpreter's limit of steps bounds
/// whatever a damaged table makes us do. Values are copied as AML copies: integers as such, the rest by reference to
/// bytes and elements, which a store duplicates.

#include <span>

#include "kernel/base/heap.h"
#include "kernel/base/types.h"

namespace cairn::acpi::aml {

class Arena {
public:
    static constexpr usize kLimit = 2 * kMiB;

    Arena() = default;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    ~Arena();

    /// Zeroed and aligned for any value; null: no memory, or the limit. `size` may be whatever a table says.
    void* allocate(u64 size);
    template <typename T>
    T* make() {
        return make_array<T>(1);
    }
    /// Elements of zeros.
    template <typename T>
    T* make_array(u64 count) {
        static_assert(std::is_trivially_destructible_v<T>);
        return count > kLimit / sizeof(T) ? nullptr : static_cast<T*>(allocate(count * sizeof(T)));
    }

private:
    static constexpr usize kChunk = 16 * kKiB;
    struct Chunk {
        Chunk* next;
        usize size;
    };
    Chunk* first_ = nullptr;
    usize used_ = 0;  // of the first chunk
    usize total_ = 0;
};

struct Node;
struct Elements;

struct Bytes {
    u8* data;
    u32 size;
};

enum class Type : u8 {
    None,
    Integer,
    String,
    Buffer,
    Package,
    Object,   // a named object: a device, or what RefOf gives
    Path,     // a name in a package, which is looked up when it is used
    Slot,     // a reference to a local or an argument
    Element,  // … to an element of a package
    Byte,     // … to a byte of a buffer
};

struct Value {
    Type type;
    u32 index;  // of Element and Byte
    union {
        u64 integer;
        Bytes* bytes;        // String (without a zero), Buffer, Byte
        Elements* elements;  // Package, Element
        Node* node;          // Object; of Path the scope in which it stands
        Value* slot;
    };
    const u8* path;  // of Path: its encoding

    static Value of(u64 number) {
        Value value{};
        value.type = Type::Integer;
        value.integer = number;
        return value;
    }
    static Value of_node(Node& node) {
        Value value{};
        value.type = Type::Object;
        value.node = &node;
        return value;
    }
};

struct Elements {
    Value* data;
    u32 size;
};

/// What stands in the namespace.
enum class Kind : u8 {
    Scope,  // also what a table only refers to
    Device,
    Name,
    Method,
    Region,
    Field,
    IndexField,
    BufferField,
    Alias,
    Other,  // mutexes, events, power resources …
};

struct Node {
    char name[4];
    Kind kind;
    u8 method_arguments;
    u8 access_bytes;  // of fields: the width of accesses
    u8 region_space;
    Node* parent;
    Node* first_child;
    Node* last_child;
    Node* next;
    Value value;  // Name, BufferField: the buffer
    union {
        struct {
            const u8* begin;
            const u8* end;
        } method;
        struct {
            u64 base;
            u64 size;
        } region;
        struct {
            Node* region;  // IndexField: the register of the index
            Node* data;    // IndexField: the register of the data
            u32 bit;
            u32 bits;
        } field;
        Node* target;  // Alias
    };
};

}  // namespace cairn::acpi::aml
