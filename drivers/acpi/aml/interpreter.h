#pragma once
/// A small interpreter of AML (ACPI 6.5, chapter 20): enough for what says how interrupts are routed. It knows the
/// operators that compute, names, methods, packages and buffers, and regions in memory, at ports and in PCI
/// configuration space. It does not know what waits or tells: mutexes are taken for free, events and loading tables are
/// errors, notifications go nowhere.
///
/// Tables are untrusted. Each run has a limit of steps, of nesting, and, with all that was ever computed, of memory;
/// whatever goes wrong, an unknown operator included, ends the run with an error and leaves the namespace usable.
///
/// Locks: none; one thread at a time.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "drivers/acpi/aml/value.h"
#include "kernel/base/result.h"

namespace cairn::acpi::aml {

/// How regions reach the hardware.
class Hardware {
public:
    static constexpr u8 kMemory = 0, kPorts = 1, kPciConfig = 2;
    /// `bytes` (1, 2, 4 or 8) at an address of a space; for kPciConfig device, function and offset as in ACPI's generic
    /// address, and the bus in bits 48 … 55. False: it cannot be.
    virtual bool read(u8 space, u64 address, u32 bytes, u64& value) = 0;
    virtual bool write(u8 space, u64 address, u32 bytes, u64 value) = 0;

protected:
    ~Hardware() = default;
};

class Interpreter {
public:
    static constexpr u32 kStepLimit = 200'000;
    static constexpr u32 kDepthLimit = 24;  // of nested terms, some 400 bytes each; a kernel stack has 16 KiB

    /// The hardware outlives it.
    explicit Interpreter(Hardware& hardware) : hardware_(hardware) {}

    /// Enters what a DSDT or SSDT defines; the AML behind the header. The table outlives the interpreter. ENOMEM;
    /// EINVAL: some of it could not be understood (error()), the rest is there.
    Result<void> load(std::span<const std::byte> aml, u8 revision);

    Node* root() { return root_; }
    /// A child by its four letters; null: none.
    static Node* find_child(const Node& parent, std::string_view name);
    /// "\_SB.PCI0" and the like, four letters for each part; null: none.
    Node* find(std::string_view path);
    /// The object that a value is or names; null: none.
    Node* object_of(const Value& value);

    /// The value of a name or field, or what a method returns for these arguments. EINVAL and so on: error() tells
    /// where.
    Result<Value> evaluate(Node& node, std::span<const Value> arguments = {});
    Result<u64> evaluate_integer(Node& node);

    /// What stopped the last run, for the log.
    std::string_view error() const { return error_; }
    u32 error_opcode() const { return error_opcode_; }

private:
    static constexpr u32 kLocals = 8;
    static constexpr u32 kArguments = 7;

    enum class Flow : u8 { Next, Break, Continue, Return };
    struct Frame {
        const u8* at;
        const u8* end;
        Node* scope;
        Value* locals;  // 8, then 7 arguments
        Value result;   // of Return
        Flow flow;
        bool defines;  // a table is being loaded
    };
    /// Where a store goes.
    struct Target {
        enum class Kind : u8 { Nothing, Slot, Object, Element, Byte };
        Kind kind;
        Value* slot;  // Slot and Element
        Node* node;
        Bytes* bytes;
        Elements* elements;
        u32 index;
    };
    struct Path {
        bool absolute;
        u32 parents;
        u32 count;
        const u8* segments;
    };

    // Errors; the first one of a run stays.
    void fail(std::string_view what, u32 opcode = 0);
    bool failed() const { return !error_.empty(); }
    bool step();

    // Reading (interpreter.cpp)
    u8 take(Frame& frame);
    u64 take_number(Frame& frame, u32 bytes);
    /// The end of what a package length announces, within the frame.
    const u8* take_length(Frame& frame);
    Path take_path(Frame& frame);
    static bool begins_name(u8 byte);

    // The namespace (namespace.cpp)
    bool ensure_root();
    Node* add_child(Node& parent, const char* name, Kind kind);
    Node* look_up(const Path& path, Node& scope);
    Node* define(const Path& path, Node& scope, Kind kind);
    static Node* resolve(Node* node);

    // Terms (terms.cpp)
    void run_terms(Frame& frame);
    void run_block(Frame& frame, const u8* end, Node* scope);
    void run_statement(Frame& frame);
    bool run_definition(Frame& frame, u32 opcode);
    void define_name(Frame& frame);
    void define_scope(Frame& frame, u32 opcode);
    void define_method(Frame& frame);
    void define_region(Frame& frame);
    void define_fields(Frame& frame, u32 opcode);
    void define_buffer_field(Frame& frame, u32 opcode);
    void run_if(Frame& frame);
    void run_while(Frame& frame);
    Value call(Node& method, Frame& caller);
    /// `locals` from the arena, with the arguments in their place.
    Value run_method(Node& method, Value* locals);
    Value* make_locals();

    // Expressions (expressions.cpp)
    Value term(Frame& frame);
    Value named_term(Frame& frame);
    Value operation(Frame& frame);
    Value computation(Frame& frame, u32 opcode);
    Value arithmetic(Frame& frame, u32 opcode);
    Value logic(Frame& frame, u32 opcode);

    // Data and stores (data.cpp)
    Value bytes_value(Type type, const u8* from, u64 given, u64 size);
    Value make_buffer(Frame& frame);
    Value make_package(Frame& frame, u32 opcode);
    Value package_element(Frame& frame);
    Value make_string(Frame& frame);
    Value index(Frame& frame);
    Value dereference(const Value& reference);
    Value size_of(Frame& frame);
    Value object_type(Frame& frame);
    Value reference_to(const Target& what);
    u64 integer(Frame& frame);
    u64 to_integer(const Value& value);
    i32 compare(const Value& one, const Value& other);
    Target target(Frame& frame);
    Target target_of(const Value& reference);
    void store(const Value& value, const Target& to);
    Value copy(const Value& value);
    Value read_object(Node& node);
    void write_object(Node& node, const Value& value);

    // Fields (fields.cpp)
    Value read_field(Node& field);
    void write_field(Node& field, u64 value);
    u64 access(Node& field, u64 offset, const u64* value);
    bool region_address(Node& region, u64 offset, u64& address);
    u64 read_buffer_field(Node& field);
    void write_buffer_field(Node& field, u64 value);

    Hardware& hardware_;
    Arena arena_;
    Node* root_ = nullptr;
    u64 mask_ = ~u64{0};  // of integers: 32 bits in tables of revision 1
    u32 steps_ = 0;
    u32 depth_ = 0;
    std::string_view error_;
    u32 error_opcode_ = 0;
    std::string_view load_error_;  // of a part of a table that was left out
    u32 load_error_opcode_ = 0;
};

}  // namespace cairn::acpi::aml
