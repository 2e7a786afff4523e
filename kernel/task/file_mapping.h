#pragma once
/// An open file as mm's mappings keep it: its name for /proc/PID/maps, and that it stays open while it is mapped.

#include "fs/vfs/file.h"
#include "mm/mapped_file.h"

namespace cairn::task {

class FileMapping final : public mm::MappedFile {
public:
    /// ENOMEM.
    static Result<Ref<mm::MappedFile>> create(Ref<vfs::File> file);

    vfs::File& file() const { return *file_; }
    Identity identity() const override;
    usize describe(std::span<char> to) const override;

    explicit FileMapping(Ref<vfs::File> file) : file_(std::move(file)) {}

private:
    void destroy() override { destroy_counted(this); }
    const Ref<vfs::File> file_;
};

}  // namespace cairn::task
