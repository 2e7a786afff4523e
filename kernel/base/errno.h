#pragma once
/// The error numbers of Linux on x86-64 (errno(3); asm-generic/errno.h), as one table.
/// Restart codes are not here: they are internal to the system call exit and cannot reach
/// user space through a `Result`.

#include <string_view>

#include "kernel/base/types.h"

namespace cairn {

// One row per error: X(name, number). The only list of them; the enumeration and the names
// that the tracer and the log print both come from it.
// clang-format off
#define CAIRN_ERRNO_TABLE(X) \
    X(eperm, 1) \
    X(enoent, 2) \
    X(esrch, 3) \
    X(eintr, 4) \
    X(eio, 5) \
    X(enxio, 6) \
    X(e2big, 7) \
    X(enoexec, 8) \
    X(ebadf, 9) \
    X(echild, 10) \
    X(eagain, 11) \
    X(enomem, 12) \
    X(eacces, 13) \
    X(efault, 14) \
    X(enotblk, 15) \
    X(ebusy, 16) \
    X(eexist, 17) \
    X(exdev, 18) \
    X(enodev, 19) \
    X(enotdir, 20) \
    X(eisdir, 21) \
    X(einval, 22) \
    X(enfile, 23) \
    X(emfile, 24) \
    X(enotty, 25) \
    X(etxtbsy, 26) \
    X(efbig, 27) \
    X(enospc, 28) \
    X(espipe, 29) \
    X(erofs, 30) \
    X(emlink, 31) \
    X(epipe, 32) \
    X(edom, 33) \
    X(erange, 34) \
    X(edeadlk, 35) \
    X(enametoolong, 36) \
    X(enolck, 37) \
    X(enosys, 38) \
    X(enotempty, 39) \
    X(eloop, 40) \
    X(enomsg, 42) \
    X(eidrm, 43) \
    X(echrng, 44) \
    X(el2nsync, 45) \
    X(el3hlt, 46) \
    X(el3rst, 47) \
    X(elnrng, 48) \
    X(eunatch, 49) \
    X(enocsi, 50) \
    X(el2hlt, 51) \
    X(ebade, 52) \
    X(ebadr, 53) \
    X(exfull, 54) \
    X(enoano, 55) \
    X(ebadrqc, 56) \
    X(ebadslt, 57) \
    X(ebfont, 59) \
    X(enostr, 60) \
    X(enodata, 61) \
    X(etime, 62) \
    X(enosr, 63) \
    X(enonet, 64) \
    X(enopkg, 65) \
    X(eremote, 66) \
    X(enolink, 67) \
    X(eadv, 68) \
    X(esrmnt, 69) \
    X(ecomm, 70) \
    X(eproto, 71) \
    X(emultihop, 72) \
    X(edotdot, 73) \
    X(ebadmsg, 74) \
    X(eoverflow, 75) \
    X(enotuniq, 76) \
    X(ebadfd, 77) \
    X(eremchg, 78) \
    X(elibacc, 79) \
    X(elibbad, 80) \
    X(elibscn, 81) \
    X(elibmax, 82) \
    X(elibexec, 83) \
    X(eilseq, 84) \
    X(erestart, 85) \
    X(estrpipe, 86) \
    X(eusers, 87) \
    X(enotsock, 88) \
    X(edestaddrreq, 89) \
    X(emsgsize, 90) \
    X(eprototype, 91) \
    X(enoprotoopt, 92) \
    X(eprotonosupport, 93) \
    X(esocktnosupport, 94) \
    X(eopnotsupp, 95) \
    X(epfnosupport, 96) \
    X(eafnosupport, 97) \
    X(eaddrinuse, 98) \
    X(eaddrnotavail, 99) \
    X(enetdown, 100) \
    X(enetunreach, 101) \
    X(enetreset, 102) \
    X(econnaborted, 103) \
    X(econnreset, 104) \
    X(enobufs, 105) \
    X(eisconn, 106) \
    X(enotconn, 107) \
    X(eshutdown, 108) \
    X(etoomanyrefs, 109) \
    X(etimedout, 110) \
    X(econnrefused, 111) \
    X(ehostdown, 112) \
    X(ehostunreach, 113) \
    X(ealready, 114) \
    X(einprogress, 115) \
    X(estale, 116) \
    X(euclean, 117) \
    X(enotnam, 118) \
    X(enavail, 119) \
    X(eisnam, 120) \
    X(eremoteio, 121) \
    X(edquot, 122) \
    X(enomedium, 123) \
    X(emediumtype, 124) \
    X(ecanceled, 125) \
    X(enokey, 126) \
    X(ekeyexpired, 127) \
    X(ekeyrevoked, 128) \
    X(ekeyrejected, 129) \
    X(eownerdead, 130) \
    X(enotrecoverable, 131) \
    X(erfkill, 132)
// clang-format on

enum class Errno : i32 {
#define X(name, number) name = number,
    CAIRN_ERRNO_TABLE(X)
#undef X
};

/// The name in lower case as the code spells it ("einval"), or "e?" for a number Linux lacks.
std::string_view errno_name(Errno error);

}  // namespace cairn
