/// null, zero, full, random and urandom; see memory_devices.h. kmsg is in kernel_log_device.cpp.

#include "fs/devtmpfs/memory_devices.h"

#include <algorithm>

#include "drivers/random/random.h"
#include "fs/devtmpfs/kernel_log_device.h"
#include "fs/vfs/devices.h"
#include "fs/vfs/file.h"
#include "kernel/base/random.h"
#include "mm/page_cache.h"

namespace cairn::fs::devtmpfs {

namespace {

using vfs::OpenRequest;
using vfs::OperationContext;

/// What the simple devices share: an offset that nobody looks at, so that seeking works and stays at 0 (null_lseek).
class MemoryDevice : public vfs::File {
public:
    using File::File;
    bool seekable() const override { return true; }
    u32 known_transfer_flags() const override { return vfs::transfer_flags::kUsual | vfs::transfer_flags::kNoWait; }
    Result<u64> seek(OperationContext&, i64, u32) override { return u64{0}; }

protected:
    ~MemoryDevice() = default;
    static usize swallow(mm::IoSource& source) {
        usize size = source.remaining();
        source.skip(size);
        return size;
    }
};

class NullDevice final : public MemoryDevice {
public:
    using MemoryDevice::MemoryDevice;
    Result<usize> read(OperationContext&, mm::IoSink&, u64&) override { return usize{0}; }
    Result<usize> write(OperationContext&, mm::IoSource& source, u64&) override { return swallow(source); }

private:
    void destroy() override { destroy_counted(this); }
};

/// zero, and full: where a write finds no space.
class ZeroDevice final : public MemoryDevice {
public:
    ZeroDevice(Ref<vfs::Inode> inode, u32 flags, const vfs::Path* path, bool full)
        : MemoryDevice(std::move(inode), flags, path), full_(full) {}
    Result<usize> read(OperationContext&, mm::IoSink& sink, u64&) override {
        return sink.remaining() == 0 ? Result<usize>(usize{0}) : sink.put_zeros(sink.remaining());
    }
    Result<usize> write(OperationContext&, mm::IoSource& source, u64&) override {
        return full_ ? Result<usize>(fail(Errno::enospc)) : swallow(source);
    }
    /// mmap(2) of zero is anonymous memory: mm makes it of the file that has no object of its own.
    Result<Ref<mm::MemoryObject>> memory_object() override;

private:
    void destroy() override { destroy_counted(this); }
    const bool full_;
};

Result<Ref<mm::MemoryObject>> ZeroDevice::memory_object() {
    if (full_) {
        return fail(Errno::enodev);
    }
    constexpr u64 kLargest = u64{1} << 46;
    Ref<mm::PageCache> cache = TRY(mm::PageCache::create(nullptr, kLargest));
    return Ref<mm::MemoryObject>(static_cast<mm::MemoryObject&>(*cache));
}

class RandomDevice final : public MemoryDevice {
public:
    using MemoryDevice::MemoryDevice;
    Result<usize> read(OperationContext&, mm::IoSink& sink, u64&) override {
        usize moved = 0;
        while (sink.remaining() != 0) {
            std::byte block[256];
            usize size = std::min(sink.remaining(), sizeof(block));
            random_bytes(std::span(block).first(size));
            Result<usize> put = sink.put(block, size);
            if (!put.ok()) {
                return moved != 0 ? Result<usize>(moved) : put;
            }
            moved += put.value();
            if (put.value() < size) {
                break;
            }
        }
        return moved;
    }
    Result<usize> write(OperationContext&, mm::IoSource& source, u64&) override {
        usize moved = 0;
        while (source.remaining() != 0) {
            std::byte block[64];
            usize size = std::min(source.remaining(), sizeof(block));
            usize taken = TRY(source.take(block, size));
            random::add_entropy(std::span<const std::byte>(block).first(taken));
            moved += taken;
            if (taken < size) {
                break;
            }
        }
        return moved;
    }

private:
    void destroy() override { destroy_counted(this); }
};

Result<Ref<vfs::File>> open_null(OperationContext&, vfs::Inode& inode, const OpenRequest& request) {
    return vfs::try_new_file<NullDevice>(Ref<vfs::Inode>(inode), request.flags, request.path);
}
Result<Ref<vfs::File>> open_zero(OperationContext&, vfs::Inode& inode, const OpenRequest& request) {
    return vfs::try_new_file<ZeroDevice>(Ref<vfs::Inode>(inode), request.flags, request.path, false);
}
Result<Ref<vfs::File>> open_full(OperationContext&, vfs::Inode& inode, const OpenRequest& request) {
    return vfs::try_new_file<ZeroDevice>(Ref<vfs::Inode>(inode), request.flags, request.path, true);
}
Result<Ref<vfs::File>> open_random(OperationContext&, vfs::Inode& inode, const OpenRequest& request) {
    return vfs::try_new_file<RandomDevice>(Ref<vfs::Inode>(inode), request.flags, request.path);
}

constexpr u32 kMajor = 1;
constexpr vfs::CharacterDevice kDevices[] = {
    {.major = kMajor, .first_minor = 3, .name = "null", .permissions = 0666, .open = &open_null},
    {.major = kMajor, .first_minor = 5, .name = "zero", .permissions = 0666, .open = &open_zero},
    {.major = kMajor, .first_minor = 7, .name = "full", .permissions = 0666, .open = &open_full},
    {.major = kMajor, .first_minor = 8, .name = "random", .permissions = 0666, .open = &open_random},
    {.major = kMajor, .first_minor = 9, .name = "urandom", .permissions = 0666, .open = &open_random},
    {.major = kMajor, .first_minor = 11, .name = "kmsg", .permissions = 0644, .open = &open_kernel_log},
};

}  // namespace

Result<void> register_memory_devices() {
    for (const vfs::CharacterDevice& device : kDevices) {
        TRY(vfs::register_character_device(device));
    }
    return {};
}

}  // namespace cairn::fs::devtmpfs
