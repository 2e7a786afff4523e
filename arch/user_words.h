#pragma once
/// UserWords: a stretch of the program's memory that is open for single words, so that a record can be put together
/// where it is to lie instead of being made elsewhere and copied. Like copy_to_user (arch.h): addresses of the loaded
/// address space, faults go to kernel_trap first, which may sleep. Each machine has its own (machine/user_words.h):
///
///   static bool may_open(VirtualAddress start, usize size)   whether all of it is user space; to be asked first
///   UserWords(VirtualAddress start, usize size)              opens it; no second one, and no copy, while it is open
///   bool store(usize offset, u64 or u32 value)               false: there is no memory
///   u64 or u32 load<…>(usize offset, u32& failed)            sets `failed` and returns zero if there is none, so that
///                                                            one test does for a record; else leaves it as it was
///   u64 address(usize offset)                                for instructions of the machine that store more

#include "machine/user_words.h"
