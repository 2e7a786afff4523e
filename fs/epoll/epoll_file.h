#pragma once
/// EpollFile: an epoll instance as an open file.

#include "fs/epoll/epoll.h"

namespace cairn::epoll {

class EpollFile final : public vfs::File {
public:
    EpollFile(Ref<vfs::Inode> inode, u32 flags, Ref<Epoll> epoll)
        : File(std::move(inode), flags), epoll_(std::move(epoll)) {}

    Epoll& epoll() const { return *epoll_; }
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override {
        return epoll_->poll(registrar) ? vfs::kPollIn | vfs::kPollReadNormal : 0;
    }
    void describe(TextBuffer& text) override { epoll_->describe(text); }
    void describe_link(TextBuffer& text) override;
    const void* kind() const override { return &kKind; }
    static constexpr char kKind = 0;

private:
    void closed() override { epoll_->close(); }
    void destroy() override { destroy_counted(this); }

    const Ref<Epoll> epoll_;
};

/// epoll_create1(2). ENOMEM.
Result<Ref<vfs::File>> create_epoll();
/// The file's instance; null for another kind of file.
Epoll* find_epoll(vfs::File& file);
/// epoll_ctl(2): EPERM unless the file can tell events at all.
bool can_be_watched(vfs::File& file);

}  // namespace cairn::epoll
