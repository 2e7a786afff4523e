/// The texts of a process's files, from figures that the test makes up, to the byte as Linux writes them.

#include "fs/procfs/process_files.h"

#include <string>

#include "tests/unit/mm/memory_fixture.h"

namespace cairn::procfs {
namespace {

/// One process that has no memory (any more).
class OneProcess final : public ProcessInformation {
public:
    ProcessFigures shown;
    std::optional<Autogroup> group;
    bool may_look = true;
    i32 adjust = 0;
    std::vector<u32> group_list;

    i32 next_process(i32 from) override { return from <= shown.process ? shown.process : 0; }
    i32 next_thread(i32, i32 from) override { return from <= shown.thread ? shown.thread : 0; }
    i32 process_of(i32 thread) override { return thread == shown.thread ? shown.process : 0; }
    u64 identity(ProcessId id) override { return id.process == shown.process ? 1 : 0; }
    ProcessId caller() override { return {shown.process, shown.thread}; }
    Result<ProcessFigures> figures(ProcessId) override { return shown; }
    Result<usize> groups(ProcessId, std::span<u32> to) override {
        std::copy_n(group_list.data(), std::min(to.size(), group_list.size()), to.data());
        return group_list.size();
    }
    Result<LimitPair> limit(ProcessId, u32 which) override {
        return which % 2 == 0 ? LimitPair{~u64{0}, ~u64{0}} : LimitPair{u64{1024} * which, ~u64{0}};
    }
    Result<void> check_access(ProcessId, AccessMode) override {
        return may_look ? Result<void>() : fail(Errno::eacces);
    }
    Result<void> owner(ProcessId, OwnerOf, u32&, u32&) override { return {}; }
    Result<std::optional<Ref<mm::AddressSpace>>> address_space(ProcessId) override {
        return std::optional<Ref<mm::AddressSpace>>();
    }
    Result<std::optional<Ref<vfs::FileDescriptorTable>>> descriptors(ProcessId) override {
        return std::optional<Ref<vfs::FileDescriptorTable>>();
    }
    Result<std::optional<Ref<NamespaceObject>>> uts_namespace(ProcessId) override {
        return std::optional<Ref<NamespaceObject>>();
    }
    Result<std::optional<Ref<vfs::FilesystemContext>>> directories(ProcessId) override {
        return std::optional<Ref<vfs::FilesystemContext>>();
    }
    Result<std::optional<vfs::Path>> executable(ProcessId) override { return std::optional<vfs::Path>(); }
    Result<usize> auxiliary_vector(ProcessId, std::span<std::byte>) override { return usize{0}; }
    Result<void> set_name(ProcessId, std::string_view name) override {
        std::ranges::fill(shown.name, '\0');
        std::ranges::copy(name, shown.name);
        return {};
    }
    Result<void> set_login_user(ProcessId, u32 user) override {
        shown.login_user = user;
        return {};
    }
    i32 next_child(ProcessId, i32 from) override { return from <= 7 ? 7 : from <= 9 ? 9 : 0; }
    Result<void> set_oom_score_adjust(ProcessId, i32 value) override {
        shown.oom_score_adjust = value;
        return {};
    }
    Result<i32> oom_score(ProcessId) override { return 666; }
    Result<std::optional<Autogroup>> autogroup(ProcessId) override { return group; }
    Result<void> set_autogroup_nice(ProcessId, i32 nice) override {
        group->nice = nice;
        return {};
    }
    bool autogroup_enabled() override { return true; }
    void set_autogroup_enabled(bool) override {}
    SystemProcessFigures system() override { return {}; }
    Result<void> set_pid_max(i32) override { return {}; }
    std::string_view system_constant(SystemConstant) override { return "x"; }
    usize system_name(u32, std::span<char, 64>) override { return 0; }
    Result<void> set_system_name(u32, std::string_view) override { return {}; }
};

class ProcProcess : public testing::Test {
protected:
    ProcProcess()
        : machine(16 * kMiB),
          cpu(machine.add_cpu()),
          credentials(must(vfs::Credentials::create_for_init(), "credentials")),
          context{*credentials, *static_cast<vfs::FilesystemContext*>(static_cast<void*>(unused))},
          request{context, {{42, 0}, 1}} {
        g_kernel.processes = &process;
        ProcessFigures& shown = process.shown;
        shown.process = shown.thread = 42;
        shown.parent = 1;
        shown.group = 40;
        shown.session = 39;
        shown.terminal = 0x8801;
        shown.foreground_group = 41;
        shown.state = 'S';
        std::string_view name = "a b)\n";
        std::ranges::copy(name, shown.name);
        shown.threads = 3;
        shown.start_time = Nanoseconds::from_seconds(12);
        shown.user = Nanoseconds::from_milliseconds(1234);
        shown.umask = 022;
        shown.allowed_cpus = 1;
        shown.effective = 0x1ff'ffff'ffff;
        shown.shared_pending = u64{1} << 14;
    }
    ~ProcProcess() override { g_kernel.processes = nullptr; }

    std::string shown_by(Show show) {
        Text text;
        Result<void> result = show(request, text);
        return result.ok() ? std::string(text.view()) : "!" + std::string(errno_name(result.error()));
    }
    std::string line_of(Show show, const std::string& name) {
        const std::string text = "\n" + shown_by(show);
        const usize start = text.find("\n" + name + ":");
        return start == std::string::npos ? "(none)" : text.substr(start + 1, text.find('\n', start + 1) - start - 1);
    }

    mm::MemoryMachine machine;
    PerCpu& cpu;
    alignas(64) std::byte unused[256] = {};  // nothing here has to do with names
    Ref<vfs::Credentials> credentials;
    vfs::OperationContext context;
    OneProcess process;
    Request request;
};

TEST_F(ProcProcess, StatHasItsFieldsInPlace) {
    const std::string text = shown_by(&show_stat);
    EXPECT_EQ(0u, text.find("42 (a b)\n) S 1 40 39 34817 41 4194304 0 0 0 0 123 0 0 0 20 0 3 0 1200 0 0 "))
        << "the name stands there as it is: " << text;
    const std::string rest = text.substr(text.rfind(')') + 2);
    EXPECT_EQ(49, std::count(rest.begin(), rest.end(), ' ')) << "52 fields";
    EXPECT_EQ('\n', text.back());
}

TEST_F(ProcProcess, StatHidesTheExitCode) {
    process.shown.exit_code = 256;
    EXPECT_TRUE(shown_by(&show_stat).ends_with(" 256\n"));
    process.may_look = false;
    EXPECT_TRUE(shown_by(&show_stat).ends_with(" 0\n"));
}

TEST_F(ProcProcess, StatusIsALineForEach) {
    EXPECT_EQ("Name:\ta b)\\012", line_of(&show_status, "Name"));
    EXPECT_EQ("Umask:\t0022", line_of(&show_status, "Umask"));
    EXPECT_EQ("State:\tS (sleeping)", line_of(&show_status, "State"));
    EXPECT_EQ("Uid:\t0\t0\t0\t0", line_of(&show_status, "Uid"));
    EXPECT_EQ("Groups:\t ", line_of(&show_status, "Groups"));
    EXPECT_EQ("ShdPnd:\t0000000000004000", line_of(&show_status, "ShdPnd"));
    EXPECT_EQ("CapEff:\t000001ffffffffff", line_of(&show_status, "CapEff"));
    EXPECT_EQ("Cpus_allowed_list:\t0", line_of(&show_status, "Cpus_allowed_list"));
    EXPECT_EQ("(none)", line_of(&show_status, "VmRSS")) << "no memory, no lines about it";
    process.group_list = {4, 20};
    EXPECT_EQ("Groups:\t4 20 ", line_of(&show_status, "Groups"));
}

TEST_F(ProcProcess, LimitsAreATable) {
    const std::string text = shown_by(&show_limits);
    EXPECT_EQ(0u, text.find("Limit                     Soft Limit           Hard Limit           Units     \n"
                            "Max cpu time              unlimited            unlimited            seconds   \n"
                            "Max file size             1024                 unlimited            bytes     \n"));
    EXPECT_EQ(17, std::count(text.begin(), text.end(), '\n'));
}

TEST_F(ProcProcess, FilesOfMemoryAreEmptyWithoutMemory) {
    EXPECT_EQ("0 0 0 0 0 0 0\n", shown_by(&show_statm));
    EXPECT_EQ("", shown_by(&show_maps));
    EXPECT_EQ("", shown_by(&show_smaps));
    EXPECT_EQ("", shown_by(&show_command_line));
    EXPECT_EQ("", shown_by(&show_environment));
    EXPECT_EQ("", shown_by(&show_auxiliary_vector));
}

TEST_F(ProcProcess, NameIsCutAndBelongsToTheProcess) {
    ASSERT_TRUE(store_name(request, "0123456789abcdefgh").ok());
    EXPECT_EQ("0123456789abcde\n", shown_by(&show_name));
    Request another{context, {{43, 0}, 1}};
    EXPECT_EQ(Errno::einval, store_name(another, "x").error());
}

TEST_F(ProcProcess, AutogroupIsASessionsOrNone) {
    EXPECT_EQ("", shown_by(&show_autogroup));
    process.group = Autogroup{17, 0};
    ASSERT_TRUE(store_autogroup(request, " -5\n").ok());
    EXPECT_EQ("/autogroup-17 nice -5\n", shown_by(&show_autogroup));
    EXPECT_EQ(Errno::einval, store_autogroup(request, "5x").error());
    EXPECT_EQ(Errno::einval, store_autogroup(request, "").error());
}

TEST_F(ProcProcess, OomScoresOfBothScales) {
    ASSERT_TRUE(store_oom_score_adjust(request, "-1000\n").ok());
    EXPECT_EQ("-1000\n", shown_by(&show_oom_score_adjust));
    EXPECT_EQ("-17\n", shown_by(&show_oom_adjust));
    ASSERT_TRUE(store_oom_adjust(request, "15").ok());
    EXPECT_EQ("1000\n", shown_by(&show_oom_score_adjust));
    EXPECT_EQ("15\n", shown_by(&show_oom_adjust));
    EXPECT_EQ(Errno::einval, store_oom_score_adjust(request, "1001").error());
    EXPECT_EQ(Errno::einval, store_oom_adjust(request, "16").error());
}

TEST_F(ProcProcess, SmallFiles) {
    process.shown.personality = 0x40000;
    EXPECT_EQ("00040000\n", shown_by(&show_personality));
    EXPECT_EQ("0::/\n", shown_by(&show_control_groups));
    EXPECT_EQ("         0          0 4294967295\n", shown_by(&show_identity_map));
    EXPECT_EQ("7 9 ", shown_by(&show_children));
    process.shown.run_nanoseconds = 2'000'001;
    EXPECT_NE(std::string::npos,
              shown_by(&show_schedule).find("se.sum_exec_runtime                          :             2.000001\n"));
}

TEST_F(ProcProcess, LinksOfAnEndedProcessLeadNowhere) {
    EXPECT_EQ("!enoent", shown_by(&show_executable));
    EXPECT_EQ("!enoent", shown_by(&show_working_directory));
    EXPECT_EQ("!enoent", shown_by(&show_root));
}

}  // namespace
}  // namespace cairn::procfs
