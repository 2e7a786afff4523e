#include "kernel/user_space.h"

#include "drivers/devices/device_tree.h"
#include "drivers/input/input.h"
#include "drivers/ps2/ps2.h"
#include "drivers/random/random.h"
#include "exec/program_support.h"
#include "exec/transaction.h"
#include "fs/anonymous/anonymous_files.h"
#include "fs/cpio/unpack.h"
#include "fs/event/event_files.h"
#include "fs/filesystems.h"
#include "fs/input/input_files.h"
#include "fs/terminal/serial_terminal.h"
#include "fs/terminal/terminals.h"
#include "fs/terminal/virtual_terminals.h"
#include "fs/usb/usb_files.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/ipc/ipc.h"
#include "kernel/magic_keys.h"
#include "kernel/ptrace/tracing.h"
#include "kernel/signal/signal_source.h"
#include "kernel/syscall/dispatch.h"
#include "kernel/task/clone.h"
#include "kernel/task/futex.h"
#include "kernel/task/job_control.h"
#include "kernel/task/process_information.h"
#include "kernel/task/running_process.h"
#include "mm/initialize.h"
#include "net/unix/unix_sockets.h"

namespace cairn {

namespace {

struct FirstProgram {
    const boot::Options* options = nullptr;
    const boot::Information* information = nullptr;
    vfs::Path* root = nullptr;  // owned, for ever
};
constinit FirstProgram first_program;

/// What is there before any archive: the console for the first program's descriptors (Linux's default initramfs).
void make_default_nodes(vfs::OperationContext& context) {
    static_cast<void>(vfs::make_directory(context, "/dev", 0755));
    static_cast<void>(vfs::make_node(context, "/dev/console", 0020600, vfs::DeviceNumber{5, 1}.encode()));
    static_cast<void>(vfs::make_directory(context, "/root", 0700));
}

void unpack_modules(vfs::OperationContext& context) {
    for (const boot::Module& module : first_program.information->modules()) {
        Result<void> unpacked = fs::cpio::unpack_cpio(context, module.range);
        if (!unpacked.ok()) {
            log_error("init", "a module of {} KiB cannot be unpacked: {}", module.range.size() / kKiB,
                      unpacked.error());
        }
    }
}

/// Descriptors 0, 1 and 2.
void open_console(task::Task& self) {
    vfs::OperationContext context = self.context();
    Result<Ref<vfs::File>> console = vfs::open(context, "/dev/console", vfs::open_flags::kReadWrite, 0);
    if (!console.ok()) {
        log_warning("init", "no console for the first program: {}", console.error());
        return;
    }
    for (u32 i = 0; i < 3; ++i) {
        static_cast<void>(self.descriptors().add(console.value(), 1024, false));
    }
}

/// The words of the command line that are for the first program.
struct Words {
    static constexpr usize kMost = boot::Options::kMaxInitWords + 4;
    std::string_view words[kMost];
    usize count = 0;
    void add(std::string_view word) { words[count++] = word; }
    std::span<const std::string_view> view() const { return {words, count}; }
};

Result<void> try_program(std::string_view path) {
    Words arguments;
    Words environment;
    arguments.add(path);
    environment.add("HOME=/");
    environment.add("TERM=linux");
    for (const boot::InitWord& word : first_program.options->init_words()) {
        (word.kind == boot::InitWord::Kind::Argument ? arguments : environment).add(word.text);
    }
    return exec::execute_first_program(path, arguments.view(), environment.view());
}

/// rdinit= or /init of the archive; else init=; else where an init usually is.
[[noreturn]] void run_first_program() {
    const boot::Options& options = *first_program.options;
    const std::string_view wanted = options.ramdisk_init.empty() ? std::string_view("/init") : options.ramdisk_init;
    Result<void> tried = try_program(wanted);
    if (!options.ramdisk_init.empty()) {
        log_error("init", "{} cannot be run: {}", wanted, tried.error());
    }
    if (!options.init.empty()) {
        tried = try_program(options.init);
        panic("the first program {} cannot be run: {}", options.init, tried.error());
    }
    for (std::string_view usual : {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"}) {
        tried = try_program(usual);
    }
    panic("no first program found (the last try: {}); see init= and rdinit=", tried.error());
}

/// A serial console by its address: that of the command line, or, when that names no console at all, of the firmware.
struct SerialConsole {
    u32 index;
    u32 baud;
    std::optional<drivers::UartPlace> place;
};
SerialConsole choose_serial_console(const boot::ConsoleChoices& consoles, const arch::PlatformDescription& platform) {
    SerialConsole chosen{consoles.port, consoles.baud, std::nullopt};
    arch::GenericAddress address = consoles.address;
    if (!consoles.serial_named && !consoles.screen_named && platform.console_port.width != 0) {
        address = platform.console_port;
        chosen.baud = platform.console_baud != 0 ? platform.console_baud : consoles.baud;
    }
    constexpr u8 kMemory = 0;
    if (address.width == 0) {
        return chosen;
    }
    const bool in_memory = address.space == kMemory;
    if (!in_memory) {
        if (std::optional<u32> usual = drivers::SerialPort::usual_index(static_cast<u16>(address.address))) {
            chosen.index = *usual;
            return chosen;
        }
    }
    // The last of the four is missing in most machines.
    chosen.index = drivers::SerialPort::kPorts - 1;
    chosen.place = in_memory ? drivers::UartPlace{0, {address.address}, address.width / 8u}
                             : drivers::UartPlace{static_cast<u16>(address.address), {}, 1};
    return chosen;
}

/// Of serial ports and of the screen, and which of them is /dev/console and has the log; docs/boot-options.md.
void start_terminals(const boot::ConsoleChoices& consoles, const arch::PlatformDescription& platform) {
    const bool screen = g_kernel.display != nullptr;
    const bool serial_log = !screen || consoles.serial_named || !consoles.screen_named;
    const SerialConsole serial = choose_serial_console(consoles, platform);
    must(fs::terminal::start_serial_terminals(platform, serial.index, serial.baud, serial_log, serial.place),
         "no memory for terminals");
    if (screen) {
        must(fs::terminal::start_virtual_terminals(consoles), "no memory for terminals");
    }
    constexpr u32 kNone = fs::terminal::Terminals::kNoLog;
    const bool screen_log = screen && !consoles.keeps_log_from_screen();
    const bool has_port = g_kernel.terminals->serial(consoles.port) != nullptr;
    g_kernel.terminals->set_log(
        screen_log ? consoles.screen_number : kNone,
        serial_log && has_port ? fs::terminal::SerialTerminal::kFirstMinor + consoles.port : kNone);
}

/// Process 1, in kernel mode.
void first_process() {
    task::Task& self = task::current_task();
    {
        vfs::OperationContext context = self.context();
        make_default_nodes(context);
        unpack_modules(context);
    }
    mm::reclaim_boot_memory();
    mm::log_memory();
    open_console(self);
    run_first_program();
}

}  // namespace

const vfs::Path& start_process_layers() {
    must(random::initialize(), "no memory for random numbers");
    must(devices::DeviceTree::initialize(), "no memory for the tree of devices");
    vfs::Path root = must(fs::initialize(), "no memory for the filesystems");
    first_program.root = must(try_new<vfs::Path>(std::move(root)), "no memory for the filesystems").release();
    must(anonymous::AnonymousFiles::initialize(), "no memory for the filesystems");
    must(event::EventFiles::initialize(), "no memory for the filesystems");
    must(net::UnixSockets::initialize(), "no memory for sockets");
    must(task::TaskTable::initialize(), "no memory for processes");
    must(task::initialize_futexes(), "no memory for futexes");
    must(ipc::Ipc::initialize(), "no memory for IPC");
    task::install_job_control();
    task::install_process_information();
    task::install_process_description();
    g_kernel.event_files->current_signals = &signal::current_signal_source;
    must(exec::ProgramSupport::initialize(), "no memory for what programs share");
    return *first_program.root;
}

void start_user_layers(const boot::Options& options, const arch::PlatformDescription& platform) {
    static_cast<void>(start_process_layers());
    must(install_magic_keys(), "no memory for keyboards");
    must(drivers::Input::initialize(), "no memory for keyboards");
    must(fs::input::initialize(), "no memory for keyboards");
    must(fs::usb::initialize(), "no memory for USB");
    start_terminals(options.consoles, platform);
    must(drivers::start_ps2(platform), "no memory for keyboards");
    g_kernel.tasks->initial_syscall_work = options.trace_system_calls ? ptrace::work::kLog : 0;
}

bool start_first_program(const boot::Options& options, const boot::Information& information) {
    first_program.options = &options;
    first_program.information = &information;
    if (information.modules().empty()) {
        return false;
    }
    Ref<task::Task> task = must(task::create_first_task(*first_program.root, &first_process), "no memory for init");
    task->thread().start();
    return true;
}

}  // namespace cairn
