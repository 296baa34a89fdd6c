#include "lib-auth/ldap/ldap-tls.h"

#include <fmt/format.h>
#include <sys/single_threaded.h>

#include <cstdlib>
#include <mutex>

// Exported by libldap for slapd, declared in no installed header: the counterpart of asking for LDAP_OPT_X_TLS_CTX,
// which counts a reference.
extern "C" void ldap_pvt_tls_ctx_free(void* context);

namespace culver {

Status begin_ldap_library(const LdapConfig& config) {
    static std::mutex mutex;  // guards what follows
    static bool begun = false;
    static std::string ldaprc;
    std::lock_guard lock(mutex);
    if (begun && config.ldaprc_path == ldaprc) return {};
    if (begun && !config.ldaprc_path.empty() && !ldaprc.empty())
        return fail(
            ErrorCode::InvalidArgument,
            fmt::format("Multiple different ldaprc_path settings not allowed ({} and {})", ldaprc, config.ldaprc_path));
    if (!config.ldaprc_path.empty()) {
        if (begun || !__libc_single_threaded)
            return fail(ErrorCode::InvalidArgument, "ldaprc_path counts from the start on: restart the server");
        ::setenv("LDAPRC", config.ldaprc_path.c_str(), 1);
        ldaprc = config.ldaprc_path;
    }
    // libldap reads ldap.conf and ldaprc now, for the whole process.
    LDAP* handle = nullptr;
    if (::ldap_initialize(&handle, nullptr) == LDAP_SUCCESS) ::ldap_unbind_ext_s(handle, nullptr, nullptr);
    begun = true;
    return {};
}

namespace {

// What ldap.conf and ldaprc say, or nothing. A handle inherits the library's TLS context but no names of files, and one
// of its own is made of those alone: without this the authorities of ldap.conf would not count.
std::string of_ldap_conf(int option) {
    char* value = nullptr;
    if (::ldap_get_option(nullptr, option, &value) != LDAP_OPT_SUCCESS || !value) return {};
    std::string text = value;
    ::ldap_memfree(value);
    return text;
}

}  // namespace

Status LdapTls::set_options(LDAP* handle) const {
    struct {
        std::string_view setting;
        int option;
        const std::string& value;
    } const texts[] = {
        {"tls_ca_cert_file", LDAP_OPT_X_TLS_CACERTFILE, config_.tls_ca_cert_file},
        {"tls_ca_cert_dir", LDAP_OPT_X_TLS_CACERTDIR, config_.tls_ca_cert_dir},
        {"tls_cert_file", LDAP_OPT_X_TLS_CERTFILE, config_.tls_cert_file},
        {"tls_key_file", LDAP_OPT_X_TLS_KEYFILE, config_.tls_key_file},
        {"tls_cipher_suite", LDAP_OPT_X_TLS_CIPHER_SUITE, config_.tls_cipher_suite},
    };
    for (const auto& text : texts) {
        const std::string value = text.value.empty() ? of_ldap_conf(text.option) : text.value;
        if (value.empty()) continue;
        if (::ldap_set_option(handle, text.option, value.c_str()) != LDAP_OPT_SUCCESS)
            return fail(ErrorCode::InvalidArgument, fmt::format("Can't set {} to {}", text.setting, value));
    }
    if (config_.tls_require_cert >= 0 &&
        ::ldap_set_option(handle, LDAP_OPT_X_TLS_REQUIRE_CERT, &config_.tls_require_cert) != LDAP_OPT_SUCCESS)
        return fail(ErrorCode::InvalidArgument, "Can't set tls_require_cert");
    return {};
}

Result<std::shared_ptr<LdapTls>> LdapTls::load(const LdapConfig& config) {
    std::shared_ptr<LdapTls> tls(new LdapTls(config));
    LDAP* handle = nullptr;
    if (int rc = ::ldap_initialize(&handle, nullptr); rc != LDAP_SUCCESS)
        return fail(ErrorCode::Internal, fmt::format("ldap_initialize() failed: {}", ::ldap_err2string(rc)));
    std::unique_ptr<LDAP, void (*)(LDAP*)> owner(handle, [](LDAP* of) { ::ldap_unbind_ext_s(of, nullptr, nullptr); });
    TRY(tls->set_options(handle));
    int client = 0;
    if (::ldap_set_option(handle, LDAP_OPT_X_TLS_NEWCTX, &client) != LDAP_OPT_SUCCESS)
        return fail(
            ErrorCode::InvalidArgument,
            "the tls_* settings (or those of ldap.conf) cannot be used: are the files there, readable and PEM, does the key fit the "
            "certificate, is tls_cipher_suite a priority string of GnuTLS?");
    ::ldap_get_option(handle, LDAP_OPT_X_TLS_CTX, &tls->context_);
    return tls;
}

LdapTls::~LdapTls() {
    if (context_) ::ldap_pvt_tls_ctx_free(context_);
}

Status LdapTls::apply(LDAP* handle) const {
    TRY(set_options(handle));
    if (context_ && ::ldap_set_option(handle, LDAP_OPT_X_TLS_CTX, context_) != LDAP_OPT_SUCCESS)
        return fail(ErrorCode::Internal, "Can't set the TLS context");
    return {};
}

}  // namespace culver
