#include "kernel/base/log_ring.h"

namespace cairn {

namespace {

usize copy_printable(char* to, std::string_view from, usize limit) {
    usize size = from.size() < limit ? from.size() : limit;
    for (usize i = 0; i < size; ++i) {
        char c = from[i];
        bool control = (static_cast<u8>(c) < 0x20 && c != '\t') || c == 0x7f;
        to[i] = control ? '?' : c;
    }
    return size;
}

}  // namespace

void LogRecord::set(std::string_view subsystem, std::string_view text) {
    subsystem_size_ = static_cast<u8>(copy_printable(characters_, subsystem, kLogSubsystemLimit));
    text_size_ = static_cast<u8>(copy_printable(characters_ + subsystem_size_, text, kLogTextLimit));
}

bool LogRing::begin(u64 sequence) {
    Slot& slot = slots_[sequence % kRecords];
    u64 seen = slot.stamp.load(Order::relaxed);
    while (seen < stamp_of(sequence, kWriting)) {
        bool busy = in_use(seen);
        u64 wanted = stamp_of(sequence, busy ? kPoisoned : kWriting);
        if (slot.stamp.compare_exchange(seen, wanted, Order::acq_rel, Order::relaxed)) {
            // The stamp is visible before any word of the record (pairs with read()).
            std::atomic_thread_fence(std::memory_order_release);
            return !busy;
        }
    }
    return false;  // the ring went round while this writer was interrupted
}

void LogRing::fill(u64 sequence, const LogRecord& record) {
    Image image = {};
    image.time = record.time.value;
    image.cpu = static_cast<u16>(record.cpu.value);
    image.level = record.level;
    image.subsystem_size = record.subsystem_size_;
    image.text_size = record.text_size_;
    usize used = usize{record.subsystem_size_} + record.text_size_;
    __builtin_memcpy(image.characters, record.characters_, used);

    u64 words[kWords] = {};
    __builtin_memcpy(words, &image, sizeof(image));
    Slot& slot = slots_[sequence % kRecords];
    usize count = (offsetof(Image, characters) + used + sizeof(u64) - 1) / sizeof(u64);
    for (usize i = 0; i < count; ++i) {
        slot.words[i].store(words[i], std::memory_order_relaxed);
    }
}

void LogRing::commit(u64 sequence) {
    Slot& slot = slots_[sequence % kRecords];
    u64 seen = stamp_of(sequence, kWriting);
    if (slot.stamp.compare_exchange(seen, stamp_of(sequence, kCommitted), Order::release, Order::relaxed)) {
        return;
    }
    // Poisoned by a later writer, perhaps by several in turn: this record is lost, and the slot
    // can be used again from now on.
    while (!slot.stamp.compare_exchange(seen, seen - kPoisoned + kLost, Order::release, Order::relaxed)) {
    }
}

void LogRing::write(LogRecord& record) {
    record.sequence = reserve();
    if (begin(record.sequence)) {
        fill(record.sequence, record);
        commit(record.sequence);
    }
}

LogRing::Outcome LogRing::read(u64 sequence, LogRecord& out) const {
    const Slot& slot = slots_[sequence % kRecords];
    u64 before = slot.stamp.load(Order::acquire);
    if (before < stamp_of(sequence, kCommitted)) {
        return Outcome::Pending;
    }
    if (before != stamp_of(sequence, kCommitted)) {
        return Outcome::Lost;
    }
    u64 words[kWords];
    for (usize i = 0; i < kWords; ++i) {
        words[i] = slot.words[i].load(std::memory_order_relaxed);
    }
    // The words were read before the stamp is read again (pairs with begin()).
    std::atomic_thread_fence(std::memory_order_acquire);
    if (slot.stamp.load(Order::relaxed) != before) {
        return Outcome::Lost;
    }
    Image image;
    __builtin_memcpy(&image, words, sizeof(image));
    out.sequence = sequence;
    out.time = {image.time};
    out.level = image.level;
    out.cpu = {image.cpu};
    out.subsystem_size_ = image.subsystem_size;
    out.text_size_ = image.text_size;
    __builtin_memcpy(out.characters_, image.characters, sizeof(out.characters_));
    return Outcome::Record;
}

void LogRing::reset() {
    u64 used = next();
    for (usize i = 0; i < kRecords && i < used; ++i) {
        slots_[i].stamp.store(0, Order::relaxed);
    }
    next_.store(0, Order::relaxed);
}

}  // namespace cairn
