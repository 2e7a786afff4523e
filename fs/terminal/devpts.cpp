#include "fs/terminal/devpts.h"

#include "fs/terminal/terminals.h"
#include "kernel/base/format.h"

namespace cairn::fs::terminal {

namespace {

constexpr u64 kMagic = 0x1cd1;
constexpr u64 kRootNumber = 1;
constexpr u64 kPtmxNumber = 2;
constexpr u64 kFirstSlaveNumber = 3;
constexpr u32 kBlockSize = 1024;

vfs::InodeAttributes attributes_of(vfs::FileType type, u16 permissions) {
    vfs::InodeAttributes attributes;
    attributes.type = type;
    attributes.permissions = permissions;
    attributes.block_size = kBlockSize;
    attributes.access_time = attributes.modification_time = attributes.change_time = vfs::FileTime::now();
    return attributes;
}

/// A decimal number without sign or leading zeros.
std::optional<u32> parse_index(std::string_view name) {
    if (name.empty() || name.size() > 9 || (name.size() > 1 && name[0] == '0')) {
        return std::nullopt;
    }
    u32 value = 0;
    for (char c : name) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        value = value * 10 + static_cast<u32>(c - '0');
    }
    return value;
}

Result<u32> parse_number(std::string_view text, u32 base) {
    u64 value = 0;
    for (char c : text) {
        u32 digit = static_cast<u32>(c - '0');
        if (c < '0' || digit >= base) {
            return fail(Errno::einval);
        }
        value = value * base + digit;
        if (value > ~u32{0}) {
            return fail(Errno::einval);
        }
    }
    if (text.empty()) {
        return fail(Errno::einval);
    }
    return static_cast<u32>(value);
}

/// The slave's file in the filesystem.
class SlaveInode final : public vfs::Inode {
public:
    SlaveInode(DevptsInstance& instance, u32 index, const vfs::InodeAttributes& attributes)
        : Inode(instance, index + kFirstSlaveNumber, attributes), instance_(instance), index_(index) {}

    Result<Ref<vfs::File>> open(vfs::OperationContext& context, const vfs::OpenRequest& request) override {
        std::optional<Ref<Pty>> pty = instance_.find_pty(index_);
        if (!pty || &(*pty)->slave_inode() != this) {
            return fail(Errno::eio);  // the master is closed; the number may be another's by now
        }
        return TerminalFile::open(context, *this, request, Ref<Terminal>::adopt(pty->release()));
    }
    bool names_are_stable() const override { return false; }  // its own goes with the pty

private:
    void destroy() override { destroy_counted(this); }
    DevptsInstance& instance_;
    const u32 index_;
};

class PtmxInode final : public vfs::Inode {
public:
    using Inode::Inode;

private:
    void destroy() override { destroy_counted(this); }
};

class RootInode final : public vfs::Inode {
public:
    RootInode(DevptsInstance& instance, const vfs::InodeAttributes& attributes)
        : Inode(instance, kRootNumber, attributes), instance_(instance) {}

    Result<Ref<vfs::Inode>> find_child(vfs::OperationContext&, std::string_view name) override {
        if (name == "ptmx") {
            return Ref<vfs::Inode>(instance_.ptmx_inode());
        }
        std::optional<u32> index = parse_index(name);
        std::optional<Ref<Pty>> pty = index ? instance_.find_pty(*index) : std::nullopt;
        if (!pty) {
            return fail(Errno::enoent);
        }
        return Ref<vfs::Inode>((*pty)->slave_inode());
    }

    /// Offset 0 is ptmx, n + 1 is the slave of number n or the next higher one.
    Result<u64> read_directory(vfs::OperationContext&, u64 offset, vfs::DirectorySink& sink) override {
        if (offset == 0) {
            if (!sink.entry("ptmx", kPtmxNumber, vfs::FileType::CharacterDevice, 1)) {
                return offset;
            }
            offset = 1;
        }
        for (;;) {
            std::optional<u32> index = instance_.next_index(static_cast<u32>(offset - 1));
            if (!index) {
                return offset;
            }
            char storage[12];
            TextBuffer name{std::span(storage)};
            format_to(name, "{}", *index);
            u64 next = u64{*index} + 2;
            if (!sink.entry(name.view(), *index + kFirstSlaveNumber, vfs::FileType::CharacterDevice, next)) {
                return offset;
            }
            offset = next;
        }
    }
    bool names_are_stable() const override { return false; }

private:
    void destroy() override { destroy_counted(this); }
    DevptsInstance& instance_;
};

}  // namespace

Result<DevptsOptions> DevptsOptions::parse(std::string_view text) {
    DevptsOptions options;
    while (!text.empty()) {
        usize end = text.find(',');
        std::string_view word = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        usize equals = word.find('=');
        std::string_view name = word.substr(0, equals);
        std::string_view value = equals == std::string_view::npos ? std::string_view{} : word.substr(equals + 1);
        if (name == "uid") {
            options.uid = TRY(parse_number(value, 10));
        } else if (name == "gid") {
            options.gid = TRY(parse_number(value, 10));
        } else if (name == "mode") {
            options.mode = static_cast<u16>(TRY(parse_number(value, 8)) & vfs::kPermissionBits);
        } else if (name == "ptmxmode") {
            options.ptmx_mode = static_cast<u16>(TRY(parse_number(value, 8)) & vfs::kPermissionBits);
        } else if (name == "max") {
            TRY(parse_number(value, 10));  // memory is the limit
        } else if (!word.empty() && word != "newinstance") {
            return fail(Errno::einval);
        }
    }
    return options;
}

Result<Ref<vfs::Superblock>> DevptsInstance::mount(vfs::OperationContext&, std::string_view,
                                                   std::string_view options_text) {
    DevptsOptions options = TRY(DevptsOptions::parse(options_text));
    Ref<DevptsInstance> instance = TRY(try_new_ref<DevptsInstance>(options));
    vfs::InodeAttributes of_root = attributes_of(vfs::FileType::Directory, 0755);
    of_root.link_count = 2;
    Ref<RootInode> root = TRY(try_new_ref<RootInode>(*instance, of_root));
    instance->root_ = Ref<vfs::Inode>::adopt(root.release());
    vfs::InodeAttributes of_ptmx = attributes_of(vfs::FileType::CharacterDevice, options.ptmx_mode);
    of_ptmx.device = {5, 2};
    Ref<PtmxInode> ptmx = TRY(try_new_ref<PtmxInode>(*instance, kPtmxNumber, of_ptmx));
    instance->ptmx_ = Ref<vfs::Inode>::adopt(ptmx.release());
    g_kernel.terminals->add_instance(*instance);
    return Ref<vfs::Superblock>::adopt(instance.release());
}

DevptsInstance::~DevptsInstance() {
    unmounted();
    SpinLockGuard guard(lock_);
    ASSERT(ptys_.empty());
}

void DevptsInstance::unmounted() {
    g_kernel.terminals->remove_instance(*this);
}

vfs::FilesystemStatistics DevptsInstance::statistics() {
    vfs::FilesystemStatistics statistics;
    statistics.magic = kMagic;
    return statistics;
}

void DevptsInstance::describe_options(TextBuffer& text) {
    if (options_.uid) {
        format_to(text, ",uid={}", *options_.uid);
    }
    if (options_.gid) {
        format_to(text, ",gid={}", *options_.gid);
    }
    auto octal = [&text](std::string_view name, u16 mode) {
        const char digits[] = {static_cast<char>('0' + (mode >> 6 & 7)), static_cast<char>('0' + (mode >> 3 & 7)),
                               static_cast<char>('0' + (mode & 7))};
        format_to(text, ",{}={}", name, std::string_view(digits, sizeof digits));
    };
    octal("mode", options_.mode);
    octal("ptmxmode", options_.ptmx_mode);
}

// --- Pseudo terminals -------------------------------------------------------------------------------------------

u32 DevptsInstance::lowest_free() {
    u32 index = 0;
    for (Pty& pty : ptys_) {
        if (pty.index() != index) {
            break;
        }
        ++index;
    }
    return index;
}

/// False when the number was taken meanwhile.
bool DevptsInstance::insert(Pty& pty) {
    SpinLockGuard guard(lock_);
    if (lowest_free() != pty.index()) {
        return false;
    }
    for (Pty& other : ptys_) {
        if (other.index() > pty.index()) {
            ptys_.insert_before(other, pty);
            return true;
        }
    }
    ptys_.push_back(pty);
    return true;
}

Result<Ref<Pty>> DevptsInstance::create_pty(vfs::OperationContext& context) {
    for (;;) {
        u32 index = 0;
        {
            SpinLockGuard guard(lock_);
            index = lowest_free();
        }
        vfs::InodeAttributes attributes = attributes_of(vfs::FileType::CharacterDevice, options_.mode);
        attributes.uid = options_.uid.value_or(context.credentials.fsuid);
        attributes.gid = options_.gid.value_or(context.credentials.fsgid);
        attributes.device = {Pty::kMajor, index};
        Ref<SlaveInode> slave = TRY(try_new_ref<SlaveInode>(*this, index, attributes));
        Ref<Pty> pty = TRY(try_new_ref<Pty>(Ref<vfs::Superblock>(*this), index, Ref<vfs::Inode>(*slave)));
        if (insert(*pty)) {
            return pty;
        }
    }
}

void DevptsInstance::remove(Pty& pty) {
    {
        SpinLockGuard guard(lock_);
        ptys_.remove(pty);
    }
    pty.slave_inode().add_links(-1, vfs::FileTime::now());
}

std::optional<Ref<Pty>> DevptsInstance::find_pty(u32 index) {
    SpinLockGuard guard(lock_);
    for (Pty& pty : ptys_) {
        if (pty.index() == index) {
            if (pty.try_acquire_reference()) {
                return Ref<Pty>::adopt(pty);
            }
            break;
        }
    }
    return std::nullopt;
}

std::optional<u32> DevptsInstance::next_index(u32 from) {
    SpinLockGuard guard(lock_);
    for (Pty& pty : ptys_) {
        if (pty.index() >= from) {
            return pty.index();
        }
    }
    return std::nullopt;
}

Result<Ref<vfs::File>> open_ptmx(vfs::OperationContext& context, vfs::Inode& inode, const vfs::OpenRequest& request) {
    std::optional<Ref<DevptsInstance>> instance;
    if (inode.superblock().type_name() == "devpts") {
        instance = Ref<DevptsInstance>(static_cast<DevptsInstance&>(inode.superblock()));
    } else {
        instance = g_kernel.terminals->find_instance();
    }
    if (!instance) {
        return fail(Errno::enodev);
    }
    Ref<Pty> pty = TRY((*instance)->create_pty(context));
    Result<Ref<MasterFile>> file = try_new_ref<MasterFile>(Ref<vfs::Inode>(inode), request.flags, request.path, pty);
    if (!file.ok()) {
        (*instance)->remove(*pty);
        return file.failure();
    }
    return Ref<vfs::File>::adopt(std::move(file).value().release());
}

}  // namespace cairn::fs::terminal
