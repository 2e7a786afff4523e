#pragma once
/// clang's thread-safety analysis and typestate ("consumed") attributes; nothing with g++.
/// https://clang.llvm.org/docs/ThreadSafetyAnalysis.html

#if defined(__clang__)
#define CAIRN_ATTRIBUTE(x) __attribute__((x))
#else
#define CAIRN_ATTRIBUTE(x)
#endif

#define CAPABILITY(name) CAIRN_ATTRIBUTE(capability(name))
#define SCOPED_CAPABILITY CAIRN_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(x) CAIRN_ATTRIBUTE(guarded_by(x))
#define PT_GUARDED_BY(x) CAIRN_ATTRIBUTE(pt_guarded_by(x))
#define REQUIRES(...) CAIRN_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) CAIRN_ATTRIBUTE(requires_shared_capability(__VA_ARGS__))
#define ACQUIRE(...) CAIRN_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) CAIRN_ATTRIBUTE(acquire_shared_capability(__VA_ARGS__))
#define RELEASE(...) CAIRN_ATTRIBUTE(release_capability(__VA_ARGS__))
#define RELEASE_SHARED(...) CAIRN_ATTRIBUTE(release_shared_capability(__VA_ARGS__))
#define RELEASE_GENERIC(...) CAIRN_ATTRIBUTE(release_generic_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) CAIRN_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define EXCLUDES(...) CAIRN_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define ASSERT_CAPABILITY(x) CAIRN_ATTRIBUTE(assert_capability(x))
#define RETURN_CAPABILITY(x) CAIRN_ATTRIBUTE(lock_returned(x))
#define NO_THREAD_SAFETY_ANALYSIS CAIRN_ATTRIBUTE(no_thread_safety_analysis)

#define CONSUMABLE(state) CAIRN_ATTRIBUTE(consumable(state))
#define RETURN_TYPESTATE(state) CAIRN_ATTRIBUTE(return_typestate(state))
#define SET_TYPESTATE(state) CAIRN_ATTRIBUTE(set_typestate(state))
#define CALLABLE_WHEN(...) CAIRN_ATTRIBUTE(callable_when(__VA_ARGS__))
#define PARAM_TYPESTATE(state) CAIRN_ATTRIBUTE(param_typestate(state))
