#include "login/core/sandbox.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

#include "lib-service/inheritance.h"

namespace culver {
namespace {

// clang-format off
constexpr int kForbidden[] = {
    SCMP_SYS(execve),      SCMP_SYS(execveat),      SCMP_SYS(open),       SCMP_SYS(openat),       SCMP_SYS(openat2),
    SCMP_SYS(creat),       SCMP_SYS(fork),          SCMP_SYS(vfork),      SCMP_SYS(clone),        SCMP_SYS(clone3),
    SCMP_SYS(ptrace),      SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kill), SCMP_SYS(tkill),
    SCMP_SYS(mount),       SCMP_SYS(umount2),       SCMP_SYS(chroot),     SCMP_SYS(pivot_root),   SCMP_SYS(unshare),
    SCMP_SYS(setns),       SCMP_SYS(bpf),           SCMP_SYS(perf_event_open), SCMP_SYS(keyctl),  SCMP_SYS(add_key),
    SCMP_SYS(request_key), SCMP_SYS(userfaultfd),   SCMP_SYS(io_uring_setup), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(unlink),      SCMP_SYS(unlinkat),      SCMP_SYS(rename),     SCMP_SYS(renameat),     SCMP_SYS(renameat2),
    SCMP_SYS(link),        SCMP_SYS(linkat),        SCMP_SYS(symlink),    SCMP_SYS(symlinkat),    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),     SCMP_SYS(chmod),         SCMP_SYS(fchmodat),   SCMP_SYS(listen),
};
// clang-format on

struct Release {
    void operator()(void* filter) const { ::seccomp_release(filter); }
};

}  // namespace

void prepare_for_sandbox() {
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, nullptr);
    // The first context loads providers and algorithms.
    SSL_CTX_free(SSL_CTX_new(TLS_server_method()));
}

Status enter_sandbox() {
    if (is_sanitized_build()) return {};
    std::unique_ptr<void, Release> filter(::seccomp_init(SCMP_ACT_ALLOW));
    if (!filter) return fail(ErrorCode::Internal, "seccomp_init failed");
    for (int call : kForbidden) {
        const int rc = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0);
        if (rc != 0 && rc != -EDOM)
            return fail(Error::from_errno(-rc, "seccomp_rule_add"));  // EDOM: not on this machine
    }
    // bind() is needed for the source addresses of connections to backends: nothing but TCP shall come of it.
    for (unsigned family : {AF_INET, AF_INET6}) {
        const int rc = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 2,
                                          SCMP_A0(SCMP_CMP_EQ, family), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_DGRAM));
        if (rc != 0 && rc != -EDOM) return fail(Error::from_errno(-rc, "seccomp_rule_add"));
    }
    const int rc = ::seccomp_load(filter.get());
    if (rc != 0) return fail(Error::from_errno(-rc, "seccomp_load"));
    return {};
}

}  // namespace culver
