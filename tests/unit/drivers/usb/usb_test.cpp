#include <gtest/gtest.h>

#include <vector>

#include "drivers/usb/contexts.h"
#include "drivers/usb/descriptors.h"
#include "drivers/usb/hid_boot.h"
#include "drivers/usb/trb_ring.h"

namespace cairn::usb {
namespace {

const std::vector<u8> kKeyboard = {9, 2, 34,   0,    1, 1, 8, 0xa0, 50, 9, 4, 0, 0,    1, 3, 1, 1,
                                   0, 9, 0x21, 0x11, 1, 0, 1, 0x22, 63, 0, 7, 5, 0x81, 3, 8, 0, 10};

TEST(UsbDescriptors, Keyboard) {
    const Result<Configuration> parsed = parse_configuration(kKeyboard);
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed.value().value, 1);
    usize offset = 0;
    const auto interface = next_interface(parsed.value(), offset);
    ASSERT_TRUE(interface);
    EXPECT_EQ(interface->interface_class, usb_class::kHid);
    EXPECT_EQ(interface->protocol, kKeyboardProtocol);
    usize inner = 0;
    const auto endpoint = next_endpoint(*interface, inner);
    ASSERT_TRUE(endpoint);
    EXPECT_TRUE(endpoint->is_interrupt() && endpoint->is_in());
    EXPECT_EQ(endpoint->packet_size, 8);
    EXPECT_EQ(endpoint->context(), 3);
    EXPECT_FALSE(next_endpoint(*interface, inner));
    EXPECT_FALSE(next_interface(parsed.value(), offset));
}

TEST(UsbDescriptors, Damaged) {
    for (usize size = 0; size < kKeyboard.size(); ++size) {
        EXPECT_FALSE(parse_configuration(std::span(kKeyboard).first(size)).ok()) << size;
    }
    std::vector<u8> bytes = kKeyboard;
    bytes[9] = 0;  // a descriptor without a length
    EXPECT_FALSE(parse_configuration(bytes).ok());
    bytes = kKeyboard;
    bytes[27] = 200;  // one that ends behind the end
    EXPECT_FALSE(parse_configuration(bytes).ok());
    bytes = kKeyboard;
    bytes[29] = 0x80;  // endpoint 0
    usize offset = 0;
    usize inner = 0;
    const Result<Configuration> parsed = parse_configuration(bytes);
    ASSERT_TRUE(parsed.ok());
    EXPECT_FALSE(next_endpoint(*next_interface(parsed.value(), offset), inner));
}

TEST(UsbDescriptors, HubAndString) {
    const u8 hub[] = {9, 0x29, 8, 0x0a, 0, 1, 0, 0, 0xff};
    EXPECT_EQ(parse_hub_descriptor(hub).value().ports, 8);
    EXPECT_FALSE(parse_hub_descriptor(std::span(hub).first(5)).ok());
    const u8 text[] = {10, 3, 'Q', 0, 0xe4, 0, 0x3d, 0xd8, 0x00, 0xde};
    char to[16];
    EXPECT_EQ(std::string(to, string_text(text, to)), "Q\xc3\xa4\xf0\x9f\x98\x80");
    EXPECT_EQ(string_text(std::span(text).first(1), to), 0u);
}

TEST(TrbRing, WrapsWithItsCycleBit) {
    std::vector<Trb> memory(4);
    ProducerRing ring;
    ring.start(memory, 0x1000);
    EXPECT_EQ(ring.next_with_cycle(), 0x1001u);
    for (u64 i = 0; i < 3; ++i) {
        EXPECT_EQ(ring.push({i, 0, trb_control(trb_type::kNormal)}), 0x1000 + i * 16);
    }
    EXPECT_EQ(memory[3].type(), trb_type::kLink);
    EXPECT_EQ(memory[3].parameter, 0x1000u);
    EXPECT_EQ(memory[3].control & 3, trb_flag::kCycle | trb_flag::kToggleCycle);
    EXPECT_EQ(ring.next_with_cycle(), 0x1000u);
    ring.push({7, 0, trb_control(trb_type::kNormal, trb_flag::kCycle)});
    EXPECT_EQ(memory[0].control & trb_flag::kCycle, 0u);
    EXPECT_EQ(memory[0].parameter, 7u);
}

TEST(TrbRing, EventsAreTakenOnce) {
    std::vector<Trb> memory(2);
    EventRing ring;
    ring.start(memory, 0x2000);
    EXPECT_FALSE(ring.take());
    u32 cycle = 1;
    for (u64 round = 0; round < 5; ++round) {
        for (usize i = 0; i < 2; ++i) {
            memory[i] = {round * 2 + i, 0, trb_control(trb_type::kCommandEvent) | cycle};
            const auto event = ring.take();
            ASSERT_TRUE(event);
            EXPECT_EQ(event->parameter, round * 2 + i);
            EXPECT_FALSE(ring.take());
        }
        cycle ^= 1;
    }
    EXPECT_EQ(ring.dequeue_pointer(), 0x2000u);
}

TEST(UsbContexts, Intervals) {
    EXPECT_EQ(interval_exponent(Speed::High, 4), 3);
    EXPECT_EQ(interval_exponent(Speed::High, 0), 0);
    EXPECT_EQ(interval_exponent(Speed::Super, 255), 15);
    EXPECT_EQ(interval_exponent(Speed::Low, 10), 6);  // 8 ms
    EXPECT_EQ(interval_exponent(Speed::Full, 1), 3);  // 1 ms
    EXPECT_EQ(interval_exponent(Speed::Full, 0), 3);
    EXPECT_EQ(interval_exponent(Speed::Full, 255), 10);
}

TEST(UsbContexts, InputContext) {
    for (u32 size : {32u, 64u}) {
        std::vector<u32> memory(1024, 0xffffffff);
        InputContext input(memory, size);
        input.clear();
        SlotContext slot;
        slot.route = 0x21;
        slot.speed = Speed::Low;
        slot.entries = 3;
        slot.root_port = 5;
        slot.translator_slot = 1;
        slot.translator_port = 2;
        input.set_slot(slot);
        input.set_endpoint(3, {.kind = EndpointContext::Kind::InterruptIn,
                               .packet_size = 8,
                               .interval = 6,
                               .ring = 0x1'2345'0001,
                               .average_length = 8});
        const usize words = size / 4;
        EXPECT_EQ(memory[1], 0x9u);
        EXPECT_EQ(memory[words], 0x21u | 2u << 20 | 3u << 27);
        EXPECT_EQ(memory[words + 1], 5u << 16);
        EXPECT_EQ(memory[words + 2], 0x201u);
        EXPECT_EQ(memory[words * 4], 6u << 16);
        EXPECT_EQ(memory[words * 4 + 1], 3u << 1 | 7u << 3 | 8u << 16);
        EXPECT_EQ(memory[words * 4 + 2], 0x23450001u);
        EXPECT_EQ(memory[words * 4 + 3], 1u);
        EXPECT_EQ(memory[words * 4 + 4], 8u | 8u << 16);
    }
}

TEST(HidBoot, Usages) {
    EXPECT_EQ(key_of_usage(0x04), 30);   // A
    EXPECT_EQ(key_of_usage(0x1d), 44);   // Z
    EXPECT_EQ(key_of_usage(0x27), 11);   // 0
    EXPECT_EQ(key_of_usage(0x28), 28);   // Enter
    EXPECT_EQ(key_of_usage(0x39), 58);   // Caps Lock
    EXPECT_EQ(key_of_usage(0x45), 88);   // F12
    EXPECT_EQ(key_of_usage(0x46), 99);   // Print
    EXPECT_EQ(key_of_usage(0x48), 119);  // Pause
    EXPECT_EQ(key_of_usage(0x52), 103);  // Up
    EXPECT_EQ(key_of_usage(0x53), 69);   // Num Lock
    EXPECT_EQ(key_of_usage(0x58), 96);   // Keypad Enter
    EXPECT_EQ(key_of_usage(0x62), 82);   // Keypad 0
    EXPECT_EQ(key_of_usage(0x64), 86);   // 102nd
    EXPECT_EQ(key_of_usage(0x65), 127);  // Compose
    EXPECT_EQ(key_of_usage(0x73), 194);  // F24
    EXPECT_EQ(key_of_usage(0x85), 121);  // Keypad comma
    EXPECT_EQ(key_of_usage(0x87), 89);   // International1
    EXPECT_EQ(key_of_usage(0x90), 122);  // LANG1
    EXPECT_EQ(key_of_usage(0x03), 0);
    EXPECT_EQ(key_of_usage(0xff), 0);
}

}  // namespace
}  // namespace cairn::usb
