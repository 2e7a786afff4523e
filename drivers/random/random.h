#pragma once
/// Behind random_bytes() (kernel/base/random.h): random numbers for programs (getrandom(2), AT_RANDOM) and for the
/// kernel (address space layout). A ChaCha20 generator whose key is replaced with each request, so that what was given
/// out cannot be computed from a state seen later (Bernstein: "Fast-key-erasure random-number generators", 2017). Small
/// requests share the output of one key, of which each byte is erased when it is given out.
///
/// Seeded at start-up from the processor's generator, if there is one, and the jitter of the clock; programs add more
/// by writing to /dev/urandom. Lock: the key, rank Random. Any context that holds no lock of rank Random or inner.

#include <span>

#include "kernel/base/result.h"
#include "kernel/base/types.h"

namespace cairn::random {

/// Makes and seeds the generator (g_kernel.random). Start-up, when the heap and the clock are there. ENOMEM.
Result<void> initialize();
/// For tests: the counterpart.
void destroy();

/// Mixes in what may be unpredictable; it can only help.
void add_entropy(std::span<const std::byte> bytes);

/// Sixteen random bytes that stay the same until the machine restarts (/proc/sys/kernel/random/boot_id).
std::span<const std::byte, 16> boot_identity();

/// ChaCha20's block function (RFC 8439, 2.3), for the generator and its test. `state` is key, counter and nonce; the
/// four constant words are put in.
void chacha20_block(std::span<const u32, 8> key, u32 counter, std::span<const u32, 3> nonce, std::span<u32, 16> out);

}  // namespace cairn::random
