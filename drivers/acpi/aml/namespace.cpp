/// Memory and names; see interpreter.h.

#include <algorithm>
#include <cstring>

#include "drivers/acpi/aml/interpreter.h"

namespace cairn::acpi::aml {

namespace {

const char* letters(const u8* bytes) {
    return static_cast<const char*>(static_cast<const void*>(bytes));
}

}  // namespace

Arena::~Arena() {
    while (Chunk* chunk = first_) {
        first_ = chunk->next;
        heap_free(chunk, chunk->size, alignof(u64));
    }
}

void* Arena::allocate(u64 size) {
    if (size > kLimit) {
        return nullptr;
    }
    const usize wanted = static_cast<usize>(std::max<u64>((size + 7) & ~u64{7}, 8));
    if (first_ == nullptr || first_->size - used_ < wanted) {
        const usize chunk_size = std::max(kChunk, wanted + sizeof(Chunk));
        void* memory = total_ + chunk_size > kLimit ? nullptr : heap_allocate(chunk_size, alignof(u64));
        if (memory == nullptr) {
            return nullptr;
        }
        total_ += chunk_size;
        auto* chunk = static_cast<Chunk*>(memory);
        *chunk = {first_, chunk_size};
        first_ = chunk;
        used_ = sizeof(Chunk);
    }
    u8* result = static_cast<u8*>(static_cast<void*>(first_)) + used_;
    used_ += wanted;
    std::memset(result, 0, wanted);
    return result;
}

bool Interpreter::ensure_root() {
    if (root_ != nullptr) {
        return true;
    }
    root_ = arena_.make<Node>();
    if (root_ == nullptr) {
        return false;
    }
    // What is there before any table (5.3.1), and what the tables ask their system.
    for (const char* name : {"_GPE", "_PR_", "_SB_", "_SI_", "_TZ_"}) {
        add_child(*root_, name, Kind::Scope);
    }
    if (Node* revision = add_child(*root_, "_REV", Kind::Name)) {
        revision->value = Value::of(2);
    }
    if (Node* lock = add_child(*root_, "_GL_", Kind::Other)) {
        lock->value = {};
    }
    // Asked whether it is some Windows, we say no.
    static constexpr u8 kReturnZero[] = {0xa4, 0x00};
    if (Node* interfaces = add_child(*root_, "_OSI", Kind::Method)) {
        interfaces->method_arguments = 1;
        interfaces->method = {kReturnZero, kReturnZero + sizeof(kReturnZero)};
    }
    return true;
}

Node* Interpreter::add_child(Node& parent, const char* name, Kind kind) {
    Node* made = arena_.make<Node>();
    if (made == nullptr) {
        fail("no memory");
        return nullptr;
    }
    std::memcpy(made->name, name, sizeof(made->name));
    made->kind = kind;
    made->parent = &parent;
    (parent.last_child == nullptr ? parent.first_child : parent.last_child->next) = made;
    parent.last_child = made;
    return made;
}

Node* Interpreter::find_child(const Node& parent, std::string_view name) {
    for (Node* child = parent.first_child; child != nullptr; child = child->next) {
        if (std::string_view(child->name, sizeof(child->name)) == name) {
            return child;
        }
    }
    return nullptr;
}

Node* Interpreter::find(std::string_view path) {
    Node* node = root_;
    path.remove_prefix(path.starts_with('\\') ? 1 : 0);
    while (node != nullptr && !path.empty()) {
        node = find_child(*node, path.substr(0, 4));
        path.remove_prefix(std::min<usize>(path.size(), 5));
    }
    return node;
}

/// An alias of an alias … ends: a loop of aliases cannot be made, since each is made after its target.
Node* Interpreter::resolve(Node* node) {
    while (node != nullptr && node->kind == Kind::Alias) {
        node = node->target;
    }
    return node;
}

/// A single name without a prefix is looked for in the scopes around, too (5.3).
Node* Interpreter::look_up(const Path& path, Node& scope) {
    Node* from = path.absolute ? root_ : &scope;
    for (u32 i = 0; i < path.parents && from != nullptr; ++i) {
        from = from->parent;
    }
    if (from == nullptr) {
        return nullptr;
    }
    auto segment = [&](u32 i) { return std::string_view(letters(path.segments) + 4 * i, 4); };
    if (path.count == 1 && !path.absolute && path.parents == 0) {
        for (; from != nullptr; from = from->parent) {
            if (Node* found = find_child(*from, segment(0))) {
                return resolve(found);
            }
        }
        return nullptr;
    }
    for (u32 i = 0; i < path.count && from != nullptr; ++i) {
        from = resolve(find_child(*from, segment(i)));
    }
    return resolve(from);  // a scope may have become an alias while its contents are read
}

/// What is there already is defined anew, as firmware does when a method runs again.
Node* Interpreter::define(const Path& path, Node& scope, Kind kind) {
    if (path.count == 0) {
        return look_up(path, scope);
    }
    Path parent_path = path;
    --parent_path.count;
    const bool local = path.count == 1 && !path.absolute && path.parents == 0;
    Node* parent = local ? &scope : look_up(parent_path, scope);
    if (parent == nullptr) {
        fail("a name in a scope that is not there");
        return nullptr;
    }
    const char* name = letters(path.segments) + 4 * (path.count - 1);
    if (Node* present = find_child(*parent, {name, 4})) {
        present->kind = kind == Kind::Scope ? present->kind : kind;
        return present;
    }
    return add_child(*parent, name, kind);
}

Node* Interpreter::object_of(const Value& value) {
    if (value.type == Type::Object) {
        return resolve(value.node);
    }
    if (value.type != Type::Path) {
        return nullptr;
    }
    // The encoding was read once when the package was made, so that it ends.
    constexpr usize kLongestPath = 2 + 255 + 255 * 4;
    Frame frame{};
    frame.at = value.path;
    frame.end = value.path + kLongestPath;
    return look_up(take_path(frame), *value.node);
}

}  // namespace cairn::acpi::aml
