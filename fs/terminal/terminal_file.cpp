/// TerminalFile: an open terminal as the VFS sees it.

#include "fs/terminal/terminal.h"

namespace cairn::fs::terminal {

Result<Ref<vfs::File>> TerminalFile::open(vfs::OperationContext& context, vfs::Inode& inode,
                                          const vfs::OpenRequest& request, Ref<Terminal> terminal, Role role,
                                          bool may_control) {
    TRY(terminal->open(context, request.flags, may_control));
    Terminal& opened = *terminal;
    Result<Ref<TerminalFile>> file =
        try_new_ref<TerminalFile>(Ref<vfs::Inode>(inode), request.flags, request.path, terminal, role);
    if (!file.ok()) {
        opened.close();
        return file.failure();
    }
    return Ref<vfs::File>::adopt(std::move(file).value().release());
}

void TerminalFile::destroy() {
    destroy_counted(this);
}

Result<usize> TerminalFile::read(vfs::OperationContext& context, mm::IoSink& sink, u64&) {
    return terminal_->read(context, sink, *this);
}

Result<usize> TerminalFile::write(vfs::OperationContext& context, mm::IoSource& source, u64&) {
    return terminal_->write_characters(context, source, *this);
}

vfs::PollEvents TerminalFile::poll(vfs::PollRegistrar* registrar) {
    return terminal_->poll(registrar, *this);
}

Result<u64> TerminalFile::ioctl(vfs::OperationContext& context, u32 command, u64 argument) {
    constexpr u32 kSetForegroundGroup = 0x5410;  // TIOCSPGRP
    if (hung_up()) {
        return fail(command == kSetForegroundGroup ? Errno::enotty : Errno::eio);
    }
    return terminal_->ioctl(context, command, argument, *this, false);
}

}  // namespace cairn::fs::terminal
