/// The filesystem as a whole: options, limits, making inodes. See tmpfs.h.

#include <algorithm>
#include <cstring>

#include "fs/tmpfs/inode.h"
#include "kernel/base/kernel.h"
#include "mm/frame_allocator.h"

namespace cairn::fs::tmpfs {

using vfs::FileType;

Options Options::defaults() {
    u64 frames = g_kernel.frames->statistics().total / kPageSize;
    Options options;
    options.size_pages = frames / 2;
    options.inodes = frames / 2;
    return options;
}

namespace {

/// A number in the given base; nothing else may follow it but `rest`.
Result<u64> parse_number(std::string_view text, u32 base, std::string_view& rest) {
    u64 value = 0;
    usize used = 0;
    for (; used < text.size() && text[used] >= '0' && text[used] < static_cast<char>('0' + base); ++used) {
        if (__builtin_mul_overflow(value, u64{base}, &value) ||
            __builtin_add_overflow(value, static_cast<u64>(text[used] - '0'), &value)) {
            return fail(Errno::einval);
        }
    }
    if (used == 0) {
        return fail(Errno::einval);
    }
    rest = text.substr(used);
    return value;
}

/// "64m", "10%" (of memory), "4096".
Result<u64> parse_size(std::string_view text, bool percent_allowed) {
    std::string_view rest;
    u64 value = TRY(parse_number(text, 10, rest));
    if (rest.empty()) {
        return value;
    }
    if (rest.size() != 1) {
        return fail(Errno::einval);
    }
    u32 shift = 0;
    switch (rest.front()) {
        case '%':
            return percent_allowed ? Result<u64>(g_kernel.frames->statistics().total / 100 * value)
                                   : fail(Errno::einval);
        case 'k':
        case 'K':
            shift = 10;
            break;
        case 'm':
        case 'M':
            shift = 20;
            break;
        case 'g':
        case 'G':
            shift = 30;
            break;
        default:
            return fail(Errno::einval);
    }
    return value > ~u64{0} >> shift ? Result<u64>(fail(Errno::einval)) : value << shift;
}

Result<u32> parse_id(std::string_view text, u32 base, u32 limit) {
    std::string_view rest;
    u64 value = TRY(parse_number(text, base, rest));
    if (!rest.empty() || value > limit) {
        return fail(Errno::einval);
    }
    return static_cast<u32>(value);
}

Result<void> parse_option(Options& options, std::string_view name, std::string_view value) {
    if (name == "size") {
        u64 bytes = TRY(parse_size(value, true));
        options.size_pages = bytes / kPageSize + (bytes % kPageSize != 0 ? 1 : 0);
    } else if (name == "nr_blocks") {
        options.size_pages = TRY(parse_size(value, false));
    } else if (name == "nr_inodes") {
        options.inodes = TRY(parse_size(value, false));
    } else if (name == "mode") {
        options.mode = static_cast<u16>(TRY(parse_id(value, 8, vfs::kPermissionBits)));
    } else if (name == "uid") {
        options.uid = TRY(parse_id(value, 10, ~u32{0} - 1));
    } else if (name == "gid") {
        options.gid = TRY(parse_id(value, 10, ~u32{0} - 1));
    } else if (name != "inode64" && name != "inode32" && name != "noswap" && name != "huge" && name != "mpol") {
        return fail(Errno::einval);
    }
    return {};
}

}  // namespace

Result<void> Options::parse(std::string_view text) {
    while (!text.empty()) {
        usize end = std::min(text.find(','), text.size());
        std::string_view option = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (option.empty()) {
            continue;
        }
        usize equals = option.find('=');
        std::string_view value = equals < option.size() ? option.substr(equals + 1) : std::string_view();
        TRY(parse_option(*this, option.substr(0, std::min(equals, option.size())), value));
    }
    return {};
}

namespace {

class PlainSuperblock final : public TmpfsSuperblock {
public:
    using TmpfsSuperblock::TmpfsSuperblock;

private:
    void destroy() override { destroy_counted(this); }
};

}  // namespace

Result<Ref<TmpfsSuperblock>> TmpfsSuperblock::create(const Options& options, std::string_view type_name) {
    Ref<PlainSuperblock> superblock = TRY(try_new_ref<PlainSuperblock>(options, type_name));
    TmpfsSuperblock& made = *superblock;
    TRY(made.make_root());
    return Ref<TmpfsSuperblock>::adopt(superblock.release());
}

Result<void> TmpfsSuperblock::make_root() {
    vfs::CreateRequest request{
        .type = FileType::Directory, .permissions = options_.mode, .uid = options_.uid, .gid = options_.gid};
    root_ = TRY(create_inode(request, vfs::FileTime::now()));
    return {};
}

void TmpfsSuperblock::unmounted() {
    if (root_) {
        static_cast<TmpfsDirectory&>(**root_).clear_tree();
        root_.reset();
    }
}

vfs::FilesystemStatistics TmpfsSuperblock::statistics() {
    constexpr u64 kMagic = 0x0102'1994;
    vfs::FilesystemStatistics result;
    result.magic = kMagic;
    result.block_size = kPageSize;
    result.blocks = options_.size_pages;
    result.free_blocks = options_.size_pages - std::min(options_.size_pages, pages_.load(Order::relaxed));
    result.available_blocks = result.free_blocks;
    result.files = options_.inodes;
    const u64 limit = inode_space_limit();
    result.free_files = (limit - std::min(limit, inode_space_.load(Order::relaxed))) / kInodeSpace;
    return result;
}

void TmpfsSuperblock::describe_options(TextBuffer& text) {
    Options defaults = Options::defaults();
    if (options_.size_pages != defaults.size_pages) {
        format_to(text, ",size={}k", options_.size_pages * (kPageSize / kKiB));
    }
    if (options_.inodes != defaults.inodes) {
        format_to(text, ",nr_inodes={}", options_.inodes);
    }
    if (options_.mode != defaults.mode) {
        char octal[5] = {};
        usize digits = 0;
        for (u32 shift = 12; shift != 0;) {
            shift -= 3;
            u32 digit = options_.mode >> shift & 7;
            if (digit != 0 || digits != 0 || shift < 9) {
                octal[digits++] = static_cast<char>('0' + digit);
            }
        }
        format_to(text, ",mode={}", std::string_view(octal, digits));
    }
    if (options_.uid != 0) {
        format_to(text, ",uid={}", options_.uid);
    }
    if (options_.gid != 0) {
        format_to(text, ",gid={}", options_.gid);
    }
}

// --- Limits ------------------------------------------------------------------------------------------------------

namespace {

Result<void> take(Atomic<u64>& count, u64 amount, u64 limit) {
    // Never beyond the limit, not even for a moment: somebody else may take what has just become free.
    u64 seen = count.load(Order::relaxed);
    do {
        if (limit != 0 && seen + amount > limit) {
            return fail(Errno::enospc);
        }
    } while (!count.compare_exchange(seen, seen + amount, Order::relaxed, Order::relaxed));
    return {};
}

}  // namespace

u64 TmpfsSuperblock::inode_space_limit() const {
    return std::min(options_.inodes, ~u64{0} / kInodeSpace) * kInodeSpace;
}
Result<void> TmpfsSuperblock::reserve_inode_space(u64 bytes) {
    return take(inode_space_, bytes, inode_space_limit());
}
Result<void> TmpfsSuperblock::reserve_page() {
    return take(pages_, 1, options_.size_pages);
}
Result<void> TmpfsSuperblock::read_page(u64, FrameNumber) {
    return fail(Errno::eio);
}
Result<void> TmpfsSuperblock::write_page(u64, FrameNumber) {
    return fail(Errno::eio);
}

// --- Inodes ------------------------------------------------------------------------------------------------------

TmpfsInode::TmpfsInode(TmpfsSuperblock& superblock, const vfs::InodeAttributes& attributes)
    : Inode(superblock, superblock.next_inode_number(), attributes), filesystem_(superblock) {
    publish_ownership();
}

TmpfsInode::~TmpfsInode() {
    filesystem_->release_inode();
}

// --- Extended attributes -----------------------------------------------------------------------------------------

namespace {

/// xattr(7): the namespaces that tmpfs has. EOPNOTSUPP; EINVAL for a prefix alone.
Result<void> check_attribute_name(std::string_view name) {
    for (std::string_view prefix : {std::string_view("security."), vfs::kTrustedPrefix, std::string_view("user.")}) {
        if (name.starts_with(prefix)) {
            return name.size() == prefix.size() ? fail(Errno::einval) : Result<void>();
        }
    }
    return fail(Errno::eopnotsupp);
}

}  // namespace

void TmpfsInode::touch_change_time() {
    SpinLockGuard guard(attribute_lock);
    attributes_.change_time = vfs::FileTime::now();
    times_changed();
}

Result<usize> TmpfsInode::get_attribute(std::string_view name, std::span<std::byte> value) {
    TRY(filesystem_->check_attributes());
    TRY(check_attribute_name(name));
    return extended_ ? (*extended_)->get(name, value) : fail(Errno::enodata);
}

Result<void> TmpfsInode::set_attribute(std::string_view name, std::span<const std::byte> value, u32 flags) {
    TRY(filesystem_->check_attributes());
    TRY(check_attribute_name(name));
    if (!extended_) {
        extended_ = TRY(try_new<AttributeSet>(*filesystem_));
    }
    TRY((*extended_)->set(name, value, flags));
    touch_change_time();
    return {};
}

Result<usize> TmpfsInode::list_attributes(std::span<char> names, vfs::TrustedNames trusted) {
    return extended_ ? (*extended_)->list(names, trusted) : Result<usize>(usize{0});
}

Result<void> TmpfsInode::remove_attribute(std::string_view name) {
    TRY(filesystem_->check_attributes());
    TRY(check_attribute_name(name));
    TRY(extended_ ? (*extended_)->remove(name) : fail(Errno::enodata));
    touch_change_time();
    return {};
}

TmpfsLink::~TmpfsLink() {
    heap_free(target_, attributes_.size, 1);
}

Result<usize> TmpfsLink::read_link(vfs::OperationContext&, std::span<char> to) {
    usize size = std::min<usize>(to.size(), attributes_.size);  // never changes
    std::memcpy(to.data(), target_, size);
    return size;
}

namespace {

vfs::InodeAttributes attributes_for(const vfs::CreateRequest& request, const vfs::FileTime& now) {
    vfs::InodeAttributes attributes;
    attributes.type = request.type;
    attributes.permissions = request.permissions;
    attributes.link_count = request.type == FileType::Directory ? 2 : 1;
    attributes.uid = request.uid;
    attributes.gid = request.gid;
    attributes.device = request.device;
    constexpr u64 kEmptyDirectory = 40;
    attributes.size = request.type == FileType::Directory ? kEmptyDirectory : request.link_target.size();
    attributes.access_time = attributes.modification_time = attributes.change_time = attributes.birth_time = now;
    return attributes;
}

template <typename T, typename... Arguments>
Result<Ref<vfs::Inode>> make(Arguments&&... arguments) {
    Ref<T> inode = TRY(try_new_ref<T>(std::forward<Arguments>(arguments)...));
    return Ref<vfs::Inode>::adopt(inode.release());
}

Result<Ref<vfs::Inode>> make_link(TmpfsSuperblock& superblock, const vfs::InodeAttributes& attributes,
                                  std::string_view target) {
    char* text = static_cast<char*>(heap_allocate(target.size(), 1));
    if (text == nullptr) {
        return fail(Errno::enomem);
    }
    std::memcpy(text, target.data(), target.size());
    Result<Ref<vfs::Inode>> link = make<TmpfsLink>(superblock, attributes, text);
    if (!link.ok()) {
        heap_free(text, target.size(), 1);
    }
    return link;
}

Result<Ref<vfs::Inode>> make_inode(TmpfsSuperblock& superblock, const vfs::CreateRequest& request,
                                   const vfs::FileTime& now) {
    vfs::InodeAttributes attributes = attributes_for(request, now);
    if (request.type == FileType::Regular) {
        return superblock.make_file(attributes, request);
    }
    switch (request.type) {
        case FileType::Directory:
            return make<TmpfsDirectory>(superblock, attributes);
        case FileType::SymbolicLink:
            return make_link(superblock, attributes, request.link_target);
        default:
            return make<TmpfsNode>(superblock, attributes);
    }
}

}  // namespace

Result<Ref<vfs::Inode>> TmpfsSuperblock::make_file(const vfs::InodeAttributes& attributes, const vfs::CreateRequest&) {
    return make<TmpfsFile>(*this, attributes);
}

Result<Ref<vfs::Inode>> TmpfsSuperblock::create_inode(const vfs::CreateRequest& request, const vfs::FileTime& now) {
    if (request.type != FileType::Regular && root_) {
        TRY(check_more_than_files());
    }
    TRY(reserve_inode());
    Result<Ref<vfs::Inode>> inode = make_inode(*this, request, now);
    if (!inode.ok()) {
        release_inode();
    }
    return inode;
}

Result<Ref<vfs::Superblock>> mount(vfs::OperationContext&, std::string_view, std::string_view text) {
    Options options = Options::defaults();
    TRY(options.parse(text));
    Ref<TmpfsSuperblock> superblock = TRY(TmpfsSuperblock::create(options));
    return Ref<vfs::Superblock>::adopt(superblock.release());
}

}  // namespace cairn::fs::tmpfs
