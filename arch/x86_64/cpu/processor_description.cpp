/// What /proc/cpuinfo says of a CPU: its identity and the names that Linux gives to its features
/// (arch/x86/kernel/cpu/proc.c, CPUID: SDM vol. 2A; AMD APM vol. 3, appendix E).

#include <algorithm>

#include "arch/arch.h"
#include "arch/processor.h"
#include "arch/x86_64/cpu/errata.h"
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/instructions.h"
#include "arch/x86_64/time/clock.h"
#include "kernel/base/kernel.h"

namespace cairn::arch {

namespace {

/// Names of one register's bits, in order, each with a blank behind it; a lone blank is a bit without a name.
struct FeatureWord {
    u32 leaf;
    u32 subleaf;
    u32 CpuidResult::* where;
    std::string_view names;
};

constexpr FeatureWord kWords[] = {
    {1, 0, &CpuidResult::edx,
     "fpu vme de pse tsc msr pae mce cx8 apic  sep mtrr pge mca cmov pat pse36 pn clflush  dts acpi mmx fxsr sse "
     "sse2 ss ht tm ia64 pbe "},
    {0x8000'0001, 0, &CpuidResult::edx,
     "           syscall         nx  mmxext   fxsr_opt pdpe1gb rdtscp  lm 3dnowext 3dnow "},
    {1, 0, &CpuidResult::ecx,
     "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm  pcid dca sse4_1 sse4_2 "
     "x2apic movbe popcnt tsc_deadline_timer aes xsave  avx f16c rdrand hypervisor "},
    {0x8000'0001, 0, &CpuidResult::ecx,
     "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt  lwp fma4 "
     "tce  nodeid_msr  tbm topoext perfctr_core perfctr_nb  bpext ptsc perfctr_llc mwaitx "},
    {7, 0, &CpuidResult::ebx,
     "fsgsbase tsc_adjust sgx bmi1 hle avx2  smep bmi2 erms invpcid rtm cqm  mpx rdt_a avx512f avx512dq rdseed adx "
     "smap avx512ifma  clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl "},
    {0xd, 1, &CpuidResult::eax, "xsaveopt xsavec xgetbv1 xsaves "},
    {6, 0, &CpuidResult::eax, "dtherm ida arat  pln  pts hwp hwp_notify hwp_act_window hwp_epp hwp_pkg_req "},
    {0x8000'000a, 0, &CpuidResult::edx,
     "npt lbrv svm_lock nrip_save tsc_scale vmcb_clean flushbyasid decodeassists   pausefilter  pfthreshold avic  "
     "v_vmsave_vmload vgif "},
    {7, 0, &CpuidResult::ecx,
     " avx512vbmi umip pku ospke waitpkg avx512_vbmi2  gfni vaes vpclmulqdq avx512_vnni avx512_bitalg tme "
     "avx512_vpopcntdq  la57      rdpid   cldemote  movdiri movdir64b enqcmd "},
    {7, 0, &CpuidResult::edx,
     "  avx512_4vnniw avx512_4fmaps fsrm    avx512_vp2intersect  md_clear    serialize  tsxldtrk  pconfig arch_lbr  "
     " amx_bf16 avx512_fp16 amx_tile amx_int8   flush_l1d arch_capabilities "},
};

u32 highest_leaf(u32 leaf) {
    return cpuid(leaf & 0x8000'0000).eax;
}

void append_features(TextBuffer& text) {
    bool first = true;
    for (const FeatureWord& word : kWords) {
        const u32 bits = highest_leaf(word.leaf) < word.leaf ? 0 : cpuid(word.leaf, word.subleaf).*word.where;
        std::string_view names = word.names;
        for (u32 bit = 0; bit < 32 && !names.empty(); ++bit) {
            const usize end = names.find(' ');
            const std::string_view name = names.substr(0, end);
            names.remove_prefix(end + 1);
            if (!name.empty() && (bits >> bit & 1) != 0) {
                text.append(first ? "" : " ");
                text.append(name);
                first = false;
            }
        }
    }
    // What the kernel itself says of a processor that can run it.
    text.append(" rep_good nopl constant_tsc cpuid");
}

/// The largest one, or AMD's second level (Linux: x86_cache_size).
void append_cache_size(TextBuffer& text) {
    u32 kilobytes = highest_leaf(0x8000'0006) >= 0x8000'0006 ? cpuid(0x8000'0006).ecx >> 16 : 0;
    const bool is_intel = cpuid(0).ebx == ('G' | 'e' << 8 | 'n' << 16 | 'u' << 24);
    for (u32 i = 0; std::optional<CpuCache> cache = cpu_cache(i); ++i) {
        kilobytes = is_intel ? std::max(kilobytes, cache->size / static_cast<u32>(kKiB)) : kilobytes;
    }
    if (kilobytes != 0) {
        format_to(text, "cache size\t: {} KB\n", kilobytes);
    }
}

void append_topology(const PerCpu& cpu, TextBuffer& text) {
    const CpuTopology self = cpu_topology(cpu);
    u32 siblings = 0;
    u32 cores = 0;
    for (u32 i = 0; i < g_kernel.cpu_count; ++i) {
        const CpuTopology other = cpu_topology(*g_kernel.cpus[i]);
        siblings += other.package == self.package ? 1 : 0;
        bool first_of_core = other.package == self.package;
        for (u32 j = 0; j < i && first_of_core; ++j) {
            first_of_core = !other.same_core(cpu_topology(*g_kernel.cpus[j]));
        }
        cores += first_of_core ? 1 : 0;
    }
    format_to(text, "physical id\t: {}\nsiblings\t: {}\ncore id\t\t: {}\ncpu cores\t: {}\n", self.package, siblings,
              self.core, cores);
}

void append_sizes(TextBuffer& text) {
    const u32 line = (cpuid(1).ebx >> 8 & 0xff) * 8;
    format_to(text, "clflush size\t: {}\ncache_alignment\t: {}\n", line, line);
    if (highest_leaf(0x8000'0008) >= 0x8000'0008) {
        const u32 bits = cpuid(0x8000'0008).eax;
        format_to(text, "address sizes\t: {} bits physical, {} bits virtual\n", bits & 0xff, bits >> 8 & 0xff);
    }
    text.append("power management:\n\n");
}

}  // namespace

void describe_processor(const PerCpu& cpu, TextBuffer& text) {
    const CpuFeatures features = detect_features();
    std::string_view brand = features.brand;
    while (brand.starts_with(' ')) {
        brand.remove_prefix(1);
    }
    while (brand.ends_with(' ')) {
        brand.remove_suffix(1);
    }
    const u64 kilohertz = counter_hertz() / 1000;
    format_to(text, "processor\t: {}\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: {}\nmodel name\t: {}\n",
              cpu.index.value, static_cast<const char*>(features.vendor), features.family, features.model,
              brand.empty() ? std::string_view("unknown") : brand);
    format_to(text, "stepping\t: {}\n", features.stepping);
    if (microcode_level() != 0) {
        format_to(text, "microcode\t: {:#x}\n", microcode_level());
    }
    format_to(text, "cpu MHz\t\t: {}.{:03}\n", kilohertz / 1000, kilohertz % 1000);
    append_cache_size(text);
    append_topology(cpu, text);
    format_to(text, "apicid\t\t: {}\ninitial apicid\t: {}\n", cpu.hardware_id, cpu.hardware_id);
    format_to(text, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: {}\nwp\t\t: yes\nflags\t\t: ", cpuid(0).eax);
    append_features(text);
    const u64 centimips = kilohertz / 5;
    text.append("\nbugs\t\t:");
    for (u32 i = 0; std::optional<CpuWeakness> weakness = cpu_weakness(i); ++i) {
        if (weakness->affected) {
            format_to(text, " {}", weakness->bug_name);
        }
    }
    format_to(text, "\nbogomips\t: {}.{:02}\n", centimips / 100, centimips % 100);
    append_sizes(text);
}

}  // namespace cairn::arch
