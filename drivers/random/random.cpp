/// The random number generator; see random.h.

#include "drivers/random/random.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernel/base/kernel.h"
#include "kernel/base/own.h"
#include "kernel/base/random.h"
#include "kernel/sync/spin_lock.h"
#include "kernel/time/clock.h"

namespace cairn::random {

namespace {

constexpr usize kKeyWords = 8;
constexpr usize kBlockWords = 16;
constexpr u32 kNoNonce[3] = {};

void quarter_round(u32& a, u32& b, u32& c, u32& d) {
    a += b;
    d = std::rotl(d ^ a, 16);
    c += d;
    b = std::rotl(b ^ c, 12);
    a += b;
    d = std::rotl(d ^ a, 8);
    c += d;
    b = std::rotl(b ^ c, 7);
}

}  // namespace

void chacha20_block(std::span<const u32, 8> key, u32 counter, std::span<const u32, 3> nonce, std::span<u32, 16> out) {
    // "expand 32-byte k"
    u32 start[kBlockWords] = {0x6170'7865, 0x3320'646e, 0x7962'2d32, 0x6b20'6574};
    std::copy(key.begin(), key.end(), start + 4);
    start[12] = counter;
    std::copy(nonce.begin(), nonce.end(), start + 13);
    u32 x[kBlockWords];
    std::copy(start, start + kBlockWords, x);
    constexpr u32 kDoubleRounds = 10;
    for (u32 i = 0; i < kDoubleRounds; ++i) {
        for (u32 column = 0; column < 4; ++column) {
            quarter_round(x[column], x[column + 4], x[column + 8], x[column + 12]);
        }
        for (u32 column = 0; column < 4; ++column) {
            quarter_round(x[column], x[4 + (column + 1) % 4], x[8 + (column + 2) % 4], x[12 + (column + 3) % 4]);
        }
    }
    for (usize i = 0; i < kBlockWords; ++i) {
        out[i] = x[i] + start[i];
    }
}

class Generator {
public:
    /// A key for one request; the generator's own key is another one from then on.
    void take_key(std::span<u32, kKeyWords> key) {
        u32 block[kBlockWords];
        SpinLockGuard guard(lock_);
        chacha20_block(key_, 0, kNoNonce, block);
        std::copy_n(block, kKeyWords, key_);
        std::copy_n(block + kKeyWords, kKeyWords, key.begin());
    }
    /// Small requests, at most kStockBytes, share the blocks of one key; what was given out is erased.
    void take_from_stock(std::span<std::byte> to) {
        SpinLockGuard guard(lock_);
        if (stock_left_ < to.size()) {
            u32 blocks[2 * kBlockWords];
            chacha20_block(key_, 0, kNoNonce, std::span(blocks).first<kBlockWords>());
            chacha20_block(key_, 1, kNoNonce, std::span(blocks).last<kBlockWords>());
            std::copy_n(blocks, kKeyWords, key_);
            std::memcpy(stock_, blocks + kKeyWords, kStockBytes);
            stock_left_ = kStockBytes;
        }
        stock_left_ -= to.size();
        std::memcpy(to.data(), stock_ + stock_left_, to.size());
        std::memset(stock_ + stock_left_, 0, to.size());
    }
    static constexpr usize kStockBytes = (2 * kBlockWords - kKeyWords) * sizeof(u32);

    void mix(std::span<const std::byte> bytes) {
        {
            SpinLockGuard guard(lock_);
            stock_left_ = 0;  // what comes from now on depends on the new bytes
        }
        while (!bytes.empty()) {
            u32 words[kKeyWords] = {};
            usize size = std::min(bytes.size(), sizeof(words));
            std::memcpy(words, bytes.data(), size);
            bytes = bytes.subspan(size);
            u32 block[kBlockWords];
            SpinLockGuard guard(lock_);
            for (usize i = 0; i < kKeyWords; ++i) {
                key_[i] ^= words[i];
            }
            chacha20_block(key_, 1, kNoNonce, block);
            std::copy_n(block, kKeyWords, key_);
        }
    }

    /// Written once, before anybody else knows the generator.
    std::byte boot_identity[16] = {};

private:
    SpinLock<LockRank::Random> lock_;
    u32 key_[kKeyWords] GUARDED_BY(lock_) = {};
    std::byte stock_[kStockBytes] GUARDED_BY(lock_) = {};
    usize stock_left_ GUARDED_BY(lock_) = 0;
};

namespace {

void mix_number(Generator& generator, u64 value) {
    generator.mix(std::as_bytes(std::span(&value, 1)));
}

/// How long a stretch of work takes varies with caches, interrupts and the host of a virtual machine.
void mix_jitter(Generator& generator) {
    constexpr u32 kRounds = 64;
    for (u32 i = 0; i < kRounds; ++i) {
        mix_number(generator, time::now().value);
    }
    mix_number(generator, time::wall_now().value);
}

}  // namespace

Result<void> initialize() {
    Own<Generator> generator = TRY(try_new<Generator>());
    constexpr u32 kHardwareWords = 8;
    for (u32 i = 0; i < kHardwareWords; ++i) {
        if (std::optional<u64> word = arch::hardware_random()) {
            mix_number(*generator, *word);
        }
    }
    mix_jitter(*generator);
    g_kernel.random = generator.release();
    random_bytes(g_kernel.random->boot_identity);
    return {};
}

std::span<const std::byte, 16> boot_identity() {
    return g_kernel.random->boot_identity;
}

void destroy() {
    Own<Generator>::adopt(std::exchange(g_kernel.random, nullptr)).reset();
}

void add_entropy(std::span<const std::byte> bytes) {
    g_kernel.random->mix(bytes);
}

namespace {

/// Before start-up has come to the generator, and in tests of parts: a generator for this request alone.
void take_early_key(std::span<u32, kKeyWords> key) {
    Generator generator;
    mix_jitter(generator);
    generator.take_key(key);
}

void fill(std::span<std::byte> to) {
    constexpr usize kSmall = 16;  // AT_RANDOM, an address's bits
    if (to.size() <= kSmall && g_kernel.random != nullptr) {
        g_kernel.random->take_from_stock(to);
        return;
    }
    u32 key[kKeyWords];
    if (g_kernel.random != nullptr) {
        g_kernel.random->take_key(key);
    } else {
        take_early_key(key);
    }
    u32 block[kBlockWords];
    for (u32 counter = 0; !to.empty(); ++counter) {
        chacha20_block(key, counter, kNoNonce, block);
        usize size = std::min(to.size(), sizeof(block));
        std::memcpy(to.data(), block, size);
        to = to.subspan(size);
    }
}

}  // namespace

}  // namespace cairn::random

namespace cairn {

void random_bytes(std::span<std::byte> to) {
    random::fill(to);
}

}  // namespace cairn
