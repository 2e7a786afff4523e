// Whole programs of Debian's, user mode and kernel together. One operation is one run.
#include <fcntl.h>
#include <spawn.h>

#include <vector>

#include "user/bench/bench.h"

namespace bench {
namespace {

// Runs a program with its output thrown away.
void run(std::vector<const char*> words) {
    static const char* const kEnvironment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "HOME=/", nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    words.push_back(nullptr);
    pid_t pid = 0;
    BENCH_REQUIRE(posix_spawnp(&pid, words[0], &actions, nullptr, const_cast<char* const*>(words.data()),
                               const_cast<char* const*>(kEnvironment)) == 0);
    posix_spawn_file_actions_destroy(&actions);
    end_process(pid);
}

void shell(const char* script) {
    BENCH_REQUIRE(chdir(kFolder) == 0);
    run({"sh", "-c", script});
}

uint64_t timed(unsigned count, const char* preparation, std::vector<const char*> words) {
    shell(preparation);
    return time_of(count, [&] { run(words); });
}

constexpr char kText[] =
    "i=0; while [ $i -lt 16384 ]; do echo \"$i the quick brown fox jumps over the lazy dog.......\";"
    " i=$((i+1)); done > text";

uint64_t python(unsigned count) {
    return timed(count, "true", {"python3", "-c", "pass"});
}
uint64_t awk(unsigned count) {
    return timed(count, kText, {"gawk", "{ words += NF; seen[$1 % 100]++ } END { print words, length(seen) }", "text"});
}
uint64_t compress(unsigned count) {
    return timed(count, kText, {"gzip", "-c", "text"});
}
uint64_t archive(unsigned count) {
    return timed(
        count,
        "mkdir -p tree; cd tree; for d in 0 1 2 3 4 5 6 7 8 9; do mkdir -p $d; for f in 0 1 2 3 4 5 6 7 8 9; do"
        " for g in 0 1 2 3 4; do echo $d $f $g > $d/$f$g; done; done; done",
        {"sh", "-c", "tar cf archive.tar tree && rm -rf copy && mkdir copy && tar xf archive.tar -C copy"});
}
uint64_t database(unsigned count) {
    return timed(
        count, "true",
        {"sh", "-c",
         "rm -f db; sqlite3 db 'create table t(a integer primary key, b text); begin; with recursive c(x) as"
         " (select 1 union all select x + 1 from c where x < 10000) insert into t select x, hex(x * 7919) from c;"
         " commit; select count(*), max(b) from t;'"});
}
uint64_t script(unsigned count) {
    return timed(count, "true",
                 {"bash", "-c", "for ((i = 0; i < 100; i++)); do /bin/true; x=$(/bin/echo $i | /bin/cat); done"});
}
uint64_t make(unsigned count) {
    return timed(
        count,
        "mkdir -p made; cd made; for n in 0 1 2 3 4 5 6 7 8 9; do echo \"int f$n(void) { return $n; }\" > f$n.c; done;"
        " echo 'int main(void) { return 0; }' > main.c;"
        " printf 'all: program\\nprogram: main.o f0.o f1.o f2.o f3.o f4.o f5.o f6.o f7.o f8.o f9.o\\n"
        "\\ttcc -o $@ $^\\n%%.o: %%.c\\n\\ttcc -c -o $@ $<\\n' > Makefile",
        {"sh", "-c", "cd made && rm -f *.o program && make -s"});
}

constexpr Row kRows[] = {
    {"python3 -c pass", "program", 3, python},           {"gawk over 1 MiB", "program", 2, awk},
    {"gzip of 1 MiB", "program", 2, compress},           {"tar of 500 files, there and back", "program", 3, archive},
    {"sqlite3, 10,000 inserts", "program", 2, database}, {"bash, 300 external commands", "program", 1, script},
    {"make with 12 commands", "program", 2, make},
};

}  // namespace

std::span<const Row> program_rows() {
    return kRows;
}

}  // namespace bench
