/// The interpreter of AML, on code written by hand.

#include "drivers/acpi/aml/interpreter.h"

#include <gtest/gtest.h>

#include <list>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/mm/memory_fixture.h"

namespace cairn::acpi::aml {
namespace {

using Code = std::vector<u8>;

Code operator+(Code one, const Code& other) {
    one.insert(one.end(), other.begin(), other.end());
    return one;
}
Code text(const char* letters) {
    return Code(letters, letters + std::string_view(letters).size());
}
/// An operator with a package length in front of what it holds.
Code block(Code op, const Code& body) {
    const usize length = body.size() + 2;
    return op + Code{static_cast<u8>(0x40 | (length & 15)), static_cast<u8>(length >> 4)} + body;
}
Code method(const char* name, u8 arguments, const Code& body) {
    return block({0x14}, text(name) + Code{arguments} + body);
}
Code dword(u32 value) {
    return {0x0c, u8(value), u8(value >> 8), u8(value >> 16), u8(value >> 24)};
}

class ModelHardware final : public Hardware {
public:
    bool read(u8 space, u64 address, u32 bytes, u64& value) override {
        value = 0;
        for (u32 i = 0; i < bytes; ++i) {
            value |= u64{cells[{space, address + i}]} << 8 * i;
        }
        return space <= kPciConfig;
    }
    bool write(u8 space, u64 address, u32 bytes, u64 value) override {
        for (u32 i = 0; i < bytes; ++i) {
            cells[{space, address + i}] = static_cast<u8>(value >> 8 * i);
        }
        return space <= kPciConfig;
    }
    std::map<std::pair<u8, u64>, u8> cells;
};

class Aml : public testing::Test {
protected:
    Aml() { machine.add_cpu(); }
    Result<void> load(const Code& code, u8 revision = 2) {
        tables.push_back(code);
        return interpreter.load(std::as_bytes(std::span(tables.back())), revision);
    }
    u64 number(std::string_view path) {
        Node* node = interpreter.find(path);
        EXPECT_NE(node, nullptr);
        Result<u64> value = interpreter.evaluate_integer(*node);
        EXPECT_TRUE(value.ok()) << interpreter.error();
        return value.ok() ? value.value() : ~u64{0};
    }
    std::string error_of(std::string_view path) {
        Result<Value> value = interpreter.evaluate(*interpreter.find(path));
        EXPECT_EQ(value.ok(), interpreter.error().empty());
        return std::string(interpreter.error());
    }

    mm::MemoryMachine machine{16 * kMiB};
    std::list<Code> tables;
    ModelHardware hardware;
    Interpreter interpreter{hardware};
};

TEST_F(Aml, NamesAndScopes) {
    const Code inner = Code{0x08} + text("ONE_") + Code{0x01} + method("GET_", 0, Code{0xa4} + text("ONE_"));
    ASSERT_TRUE(load(block({0x10}, Code{'\\'} + text("_SB_") + block({0x5b, 0x82}, text("DEV0") + inner))).ok());
    EXPECT_EQ(number("\\_SB_.DEV0.ONE_"), 1u);
    EXPECT_EQ(number("_SB_.DEV0.GET_"), 1u);
    EXPECT_EQ(interpreter.find("_SB_.DEV1"), nullptr);
}

TEST_F(Aml, ComputesInTheTablesWidth) {
    const Code code = method("SUM_", 0, Code{0xa4, 0x72} + dword(0xffffffff) + Code{0x0a, 2, 0x00});
    ASSERT_TRUE(load(code, 1).ok());
    EXPECT_EQ(number("SUM_"), 1u);
    ASSERT_TRUE(load(code, 2).ok());
    EXPECT_EQ(number("SUM_"), 0x1'0000'0001u);
}

/// While (Local0 < 10) { Local0++ } Return (Local0 << 4)
TEST_F(Aml, LoopsAndConditions) {
    const Code loop = block({0xa2}, Code{0x95, 0x60, 0x0a, 10} + Code{0x75, 0x60});
    const Code branch = block({0xa0}, Code{0x93, 0x68, 0x0a, 7, 0xa4, 0x0a, 70}) + block({0xa1}, {0xa4, 0x0a, 80});
    ASSERT_TRUE(load(method("LOOP", 0, Code{0x70, 0x00, 0x60} + loop + Code{0xa4, 0x79, 0x60, 0x0a, 4, 0x00}) +
                     method("ELSE", 1, branch) + method("CALL", 0, Code{0xa4} + text("ELSE") + Code{0x0a, 7}))
                    .ok());
    EXPECT_EQ(number("LOOP"), 160u);
    EXPECT_EQ(number("CALL"), 70u);
}

TEST_F(Aml, FieldsOfRegions) {
    const Code region = Code{0x5b, 0x80} + text("PORT") + Code{1, 0x0b, 0x00, 0x06, 0x0a, 4};
    // Byte access: LOW_ 4 bits, 4 reserved, WIDE 12 bits.
    const Code field =
        block({0x5b, 0x81}, text("PORT") + Code{0x01} + text("LOW_") + Code{4, 0x00, 4} + text("WIDE") + Code{12});
    ASSERT_TRUE(load(region + field + method("SET_", 1, Code{0x70, 0x68} + text("WIDE"))).ok());
    hardware.cells[{1, 0x600}] = 0xab;
    hardware.cells[{1, 0x602}] = 0x50;
    EXPECT_EQ(number("LOW_"), 0xbu);
    const Value value = Value::of(0x678);
    EXPECT_TRUE(interpreter.evaluate(*interpreter.find("SET_"), {&value, 1}).ok());
    EXPECT_EQ(number("WIDE"), 0x678u);
    EXPECT_EQ((hardware.cells[{1, 0x601}]), 0x78);
    EXPECT_EQ((hardware.cells[{1, 0x602}]), 0x56);
    EXPECT_EQ((hardware.cells[{1, 0x600}]), 0xab);
}

TEST_F(Aml, PackagesNameWhatComesLater) {
    const Code package = block({0x12}, Code{2, 0x0a, 5} + text("LATE"));
    ASSERT_TRUE(load(Code{0x08} + text("LIST") + package + block({0x5b, 0x82}, text("LATE"))).ok());
    Result<Value> list = interpreter.evaluate(*interpreter.find("LIST"));
    ASSERT_TRUE(list.ok());
    EXPECT_EQ(list.value().elements->size, 2u);
    EXPECT_EQ(interpreter.object_of(list.value().elements->data[1]), interpreter.find("LATE"));
}

TEST_F(Aml, LimitsHold) {
    const Code forever = block({0xa2}, Code{0x01, 0xa3});
    const Code recursion = Code{0xa4} + text("DEEP");
    ASSERT_TRUE(load(method("EVER", 0, forever) + method("DEEP", 0, recursion) +
                     method("HUGE", 0, Code{0xa4} + block({0x11}, dword(0x7fffffff))) + method("GOOD", 0, {0xa4, 0x01}))
                    .ok());
    EXPECT_EQ(error_of("EVER"), "too many steps");
    EXPECT_EQ(error_of("DEEP"), "nested too deeply");
    EXPECT_EQ(error_of("HUGE"), "no memory");
    EXPECT_EQ(number("GOOD"), 1u) << "a run that failed leaves nothing behind";
}

// Found by the fuzzer: a scope becomes an alias of an object, which becomes an alias of what the empty name stands for.
TEST_F(Aml, AliasesFormNoLoop) {
    const auto alias = [](const Code& of, const Code& name) { return Code{0x06} + of + name; };
    const Code contents =
        alias(text("TGT_"), text("\\A___")) + alias({0}, text("\\TGT_")) + alias(text("\\A___"), text("C___"));
    EXPECT_TRUE(load(Code{0x08} + text("TGT_") + Code{0} + block({0x5b, 0x82}, text("A___") + contents)).ok());
}

TEST_F(Aml, WhatIsNotKnownEndsTheDeviceOnly) {
    const Code bad = block({0x5b, 0x82}, text("BAD_") + Code{0x5b, 0x20} + text("X___"));
    const Code good = block({0x5b, 0x82}, text("GOOD") + Code{0x08} + text("_ADR") + Code{0x0a, 9});
    EXPECT_EQ(load(bad + good).error(), Errno::einval);
    EXPECT_EQ(interpreter.error(), "an operator that is not known");
    EXPECT_EQ(interpreter.error_opcode(), 0x5b20u);
    EXPECT_EQ(number("GOOD._ADR"), 9u);
}

TEST_F(Aml, CutOffAnywhere) {
    const Code region = Code{0x5b, 0x80} + text("PORT") + Code{1, 0x0b, 0x00, 0x06, 0x0a, 4};
    const Code whole = region + method("LOOP", 2, block({0xa2}, Code{0x95, 0x60, 0x0a, 10, 0x75, 0x60})) + Code{0x08} +
                       text("LIST") + block({0x12}, Code{3, 0x0a, 5} + text("LOOP") + Code{0x0d, 'x', 0});
    for (usize size = 0; size < whole.size(); ++size) {
        Interpreter each(hardware);
        const Code part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        static_cast<void>(each.load(std::as_bytes(std::span(part)), 2));
    }
    EXPECT_TRUE(load(whole).ok());
}

}  // namespace
}  // namespace cairn::acpi::aml
