#include "exec/script.h"

#include <gtest/gtest.h>

#include <string>

#include "kernel/base/bytes.h"

namespace cairn::exec {
namespace {

/// "interpreter" or "interpreter|argument"; "ENOEXEC" for no script.
std::string parse(std::string_view text) {
    auto line = parse_script(bytes_of(text));
    if (!line.ok()) {
        return line.error() == Errno::enoexec ? "ENOEXEC" : "?";
    }
    std::string result(line.value().interpreter);
    return line.value().argument ? result + "|" + std::string(*line.value().argument) : result;
}

TEST(Script, ReadsInterpreterAndOneArgument) {
    EXPECT_EQ(parse("#!/bin/sh\n"), "/bin/sh");
    EXPECT_EQ(parse("#!/bin/sh -e\n"), "/bin/sh|-e");
    EXPECT_EQ(parse("#! \t/bin/sh \t-e -x  \t\necho"), "/bin/sh|-e -x");
    EXPECT_EQ(parse("#!/bin/sh  \n"), "/bin/sh");
    EXPECT_EQ(parse("#!/bin/sh\r\n"), "/bin/sh\r");
    EXPECT_EQ(parse("#!sh\n"), "sh");
}

TEST(Script, NeedsMagicAndName) {
    for (std::string_view text : {"", "#", "#/", "!#", "#!\n", "#! \t \n", " #!/bin/sh\n"}) {
        EXPECT_EQ(parse(text), "ENOEXEC") << text;
    }
}

TEST(Script, FileMayEndBeforeTheLine) {
    EXPECT_EQ(parse("#!/bin/sh"), "/bin/sh");
    EXPECT_EQ(parse("#!/bin/sh -e"), "/bin/sh|-e");
    EXPECT_EQ(parse("#!/bin/sh "), "/bin/sh|");  // what Linux makes of it
    EXPECT_EQ(parse("#!"), "");
    EXPECT_EQ(parse("#! "), "");
}

TEST(Script, ZeroEndsWhatItStandsIn) {
    using namespace std::string_view_literals;
    EXPECT_EQ(parse("#!/bin/sh\0x -e\n"sv), "/bin/sh");
    EXPECT_EQ(parse("#!/bin/sh -e\0x\n"sv), "/bin/sh|-e");
    EXPECT_EQ(parse("#!\0/bin/sh\n"sv), "");
    EXPECT_EQ(parse("#!/bin/sh \0x\n"sv), "/bin/sh|");
}

TEST(Script, InterpreterMayNotBeCutOff) {
    std::string name(254, 'a');
    EXPECT_EQ(parse("#!" + name), "ENOEXEC");
    EXPECT_EQ(parse("#!" + name + "\n"), "ENOEXEC");  // the end of line is byte 257
    EXPECT_EQ(parse("#!" + name.substr(1) + "\n"), name.substr(1));
    EXPECT_EQ(parse("#!" + name.substr(1) + " x\n"), name.substr(1));  // the blank is the last byte
    EXPECT_EQ(parse("#!" + std::string(254, ' ') + "/bin/sh\n"), "ENOEXEC");
    EXPECT_EQ(parse("#!" + std::string(240, ' ') + "/bin/sh\n"), "/bin/sh");
}

TEST(Script, ArgumentMayBeCutOff) {
    EXPECT_EQ(parse("#!/bin/sh " + std::string(300, 'x') + "\n"), "/bin/sh|" + std::string(245, 'x'));
    EXPECT_EQ(parse("#!/bin/sh " + std::string(244, 'x') + " y\n"), "/bin/sh|" + std::string(244, 'x'));
}

}  // namespace
}  // namespace cairn::exec
