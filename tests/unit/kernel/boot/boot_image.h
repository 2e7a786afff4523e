#pragma once
/// Builders of boot loader structures for tests, and a physical memory to put them in.

#include <cstddef>
#include <cstring>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "kernel/base/physical_reader.h"

namespace cairn::test {

/// Bytes that grow by appending values.
class Blob {
public:
    template <typename T>
    Blob& add(const T& value) {
        const std::byte* bytes = reinterpret_cast<const std::byte*>(&value);
        data.insert(data.end(), bytes, bytes + sizeof(T));
        return *this;
    }
    Blob& add_text(std::string_view text) {
        for (char c : text) {
            data.push_back(static_cast<std::byte>(c));
        }
        return *this;
    }
    Blob& add_bytes(const Blob& other) {
        data.insert(data.end(), other.data.begin(), other.data.end());
        return *this;
    }
    Blob& pad_to(std::size_t alignment) {
        while (data.size() % alignment != 0) {
            data.push_back(std::byte{0});
        }
        return *this;
    }
    template <typename T>
    void put(std::size_t offset, const T& value) {
        std::memcpy(data.data() + offset, &value, sizeof(T));
    }
    std::vector<std::byte> data;
};

/// Some pieces of physical memory. What lies in no piece cannot be read.
class FakeMemory final : public PhysicalReader {
public:
    void place(u64 address, const Blob& blob) { pieces_[address] = blob.data; }

    std::span<const std::byte> view(PhysicalAddress address, usize size) override {
        auto after = pieces_.upper_bound(address.value);
        if (after == pieces_.begin()) {
            return {};
        }
        const auto& [start, bytes] = *std::prev(after);
        u64 offset = address.value - start;
        if (offset > bytes.size() || bytes.size() - offset < size) {
            return {};
        }
        return std::span(bytes).subspan(offset, size);
    }

private:
    std::map<u64, std::vector<std::byte>> pieces_;
};

/// A multiboot2 information structure, tag by tag.
class Multiboot2Image {
public:
    Multiboot2Image() { blob.add(u32{0}).add(u32{0}); }
    Multiboot2Image& tag(u32 type, const Blob& body) {
        blob.add(type).add(static_cast<u32>(8 + body.data.size())).add_bytes(body).pad_to(8);
        return *this;
    }
    Multiboot2Image& text(u32 type, std::string_view text) {
        Blob body;
        body.add_text(text).add('\0');
        return tag(type, body);
    }
    /// The end tag and the total size.
    const std::vector<std::byte>& finish() {
        tag(0, {});
        blob.put(0, static_cast<u32>(blob.data.size()));
        return blob.data;
    }
    Blob blob;
};

}  // namespace cairn::test
