#pragma once
/// From registers to a handler's typed parameters. Everything happens at compile time: a row of the table is a function
/// that loads the registers, and a description for the tracer.

#include <concepts>
#include <type_traits>
#include <utility>

#include "kernel/syscall/table.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

/// One register as a parameter: integers are truncated to their width, pointers and descriptors become their types.
template <typename T>
T decode_argument(u64 value) {
    if constexpr (std::integral<T>) {
        return static_cast<T>(value);
    } else if constexpr (std::same_as<T, Fd>) {
        return Fd{static_cast<i32>(value)};
    } else {
        static_assert(std::derived_from<T, mm::UserAddress>, "a system call's parameter has a type of its own");
        return T(value);
    }
}

template <typename T>
constexpr ArgumentKind argument_kind() {
    if constexpr (std::same_as<T, Fd>) {
        return ArgumentKind::Descriptor;
    } else if constexpr (std::same_as<T, UserCString>) {
        return ArgumentKind::Text;
    } else if constexpr (std::derived_from<T, mm::UserAddress>) {
        return ArgumentKind::Address;
    } else if constexpr (std::unsigned_integral<T>) {
        return ArgumentKind::Unsigned;
    } else {
        return ArgumentKind::Number;
    }
}

/// A handler's result as the register shows it.
template <typename T>
u64 encode_result(const T& value) {
    if constexpr (std::same_as<T, Fd>) {
        return static_cast<u64>(value.value);
    } else if constexpr (std::is_signed_v<T>) {
        return static_cast<u64>(static_cast<i64>(value));
    } else if constexpr (std::integral<T>) {
        return value;
    } else {
        return static_cast<mm::UserAddress>(value).address().value;
    }
}

/// What /proc/PID/io counts a call as.
enum class Transfer : u8 { None, Read, Write };

template <auto kHandler, Transfer kTransfer = Transfer::None>
struct Decoder;

template <typename R, typename... Parameters, Result<R> (*kHandler)(Caller&, Parameters...), Transfer kTransfer>
struct Decoder<kHandler, kTransfer> {
    static_assert(sizeof...(Parameters) <= kArguments);

    static Result<u64> run(Caller& self) {
        const Result<u64> result = apply(self, std::index_sequence_for<Parameters...>());
        if constexpr (kTransfer != Transfer::None) {
            self.task.count_transfer(kTransfer == Transfer::Read, result.ok() ? result.value() : 0);
        }
        return result;
    }

    static constexpr Call describe(const char* name, Restart restart) {
        return {name, &run, restart, {argument_kind<Parameters>()...}};
    }

private:
    template <usize... kIndices>
    static Result<u64> apply(Caller& self, std::index_sequence<kIndices...>) {
        if constexpr (std::same_as<R, u64>) {
            return kHandler(self, decode_argument<Parameters>(arch::syscall_argument(self.frame, kIndices))...);
        } else if constexpr (std::is_void_v<R>) {
            TRY(kHandler(self, decode_argument<Parameters>(arch::syscall_argument(self.frame, kIndices))...));
            return u64{0};
        } else {
            const R value =
                TRY(kHandler(self, decode_argument<Parameters>(arch::syscall_argument(self.frame, kIndices))...));
            return encode_result(value);
        }
    }
};

}  // namespace cairn::syscall
