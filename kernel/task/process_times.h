#pragma once
/// Processor time and counts of threads and processes: getrusage(2), times(2), wait4(2).

#include "kernel/base/types.h"

namespace cairn::task {

struct CpuTimes {
    Nanoseconds user{};
    Nanoseconds system{};
    Nanoseconds total() const { return user + system; }
};

struct ProcessTimes : CpuTimes {
    u64 minor_faults = 0;
    u64 major_faults = 0;
    u64 voluntary_switches = 0;
    u64 involuntary_switches = 0;
    u64 peak_resident_pages = 0;
    /// read(2), write(2) and their kin: calls, and bytes that they moved (/proc/PID/io).
    u64 reads = 0, writes = 0, bytes_read = 0, bytes_written = 0;

    void add(const ProcessTimes& other) {
        user += other.user;
        system += other.system;
        minor_faults += other.minor_faults;
        major_faults += other.major_faults;
        voluntary_switches += other.voluntary_switches;
        involuntary_switches += other.involuntary_switches;
        reads += other.reads;
        writes += other.writes;
        bytes_read += other.bytes_read;
        bytes_written += other.bytes_written;
        if (other.peak_resident_pages > peak_resident_pages) {
            peak_resident_pages = other.peak_resident_pages;
        }
    }
};

}  // namespace cairn::task
