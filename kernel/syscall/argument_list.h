#pragma once
/// argv and envp in user memory, for execve(2): a list of pointers that ends with a null pointer. A null list is an
/// empty one (E02).

#include "exec/argument_block.h"
#include "exec/transaction.h"
#include "kernel/syscall/caller.h"

namespace cairn::syscall {

class UserWords final : public exec::ArgumentSource {
public:
    explicit UserWords(UserIn<u64> list) : list_(list) {}
    Result<u64> count() override;
    Result<void> push(exec::ArgumentBlock& block, u64 index, bool environment) override;

private:
    const UserIn<u64> list_;
};

}  // namespace cairn::syscall
