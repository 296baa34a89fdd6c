// LdapConnection: connecting and binding. Searches: ldap-search.cpp.
#include "lib-auth/ldap/ldap-connection.h"

#include <fmt/format.h>
#include <lber.h>
#include <sasl/sasl.h>

namespace culver {

namespace {
constexpr ber_len_t kMessageLimit = 4 << 20;                                       // of one entry or answer
constexpr int kKeepAliveIdle = 60, kKeepAliveProbes = 3, kKeepAliveInterval = 10;  // seconds
constexpr std::chrono::milliseconds kGoodbye{100};
constexpr unsigned kUnacknowledged = 5000;  // ms, then TCP gives up: the other side has forgotten us

// libldap gives no reason for a failed handshake.
constexpr std::string_view kTlsHint = " (does tls_ca_cert_file vouch for its certificate, and is that for this name?)";

timeval to_timeval(std::chrono::milliseconds time) {
    return {time.count() / 1000, static_cast<suseconds_t>(time.count() % 1000 * 1000)};
}

// What Cyrus SASL asks for in the middle of a bind.
int answer_sasl(LDAP*, unsigned, void* context, void* asked) {
    const auto& config = *static_cast<const LdapConfig*>(context);
    for (auto* one = static_cast<sasl_interact_t*>(asked); one->id != SASL_CB_LIST_END; ++one) {
        std::string_view value;
        switch (one->id) {
            case SASL_CB_GETREALM: value = config.sasl_realm; break;
            case SASL_CB_AUTHNAME: value = config.dn; break;
            case SASL_CB_USER: value = config.sasl_authz_id; break;
            case SASL_CB_PASS: value = config.dnpass.reveal(); break;
            default: break;
        }
        one->result = value.data() ? value.data() : "";
        one->len = static_cast<unsigned>(value.size());
    }
    return LDAP_SUCCESS;
}
}  // namespace

LdapConnection::~LdapConnection() {
    deadline_.set(kGoodbye);
    if (handle_) ::ldap_unbind_ext_s(handle_, nullptr, nullptr);
}

// "what: libldap's words, the server's or the TLS library's words"
std::unexpected<Error> LdapConnection::failure(int rc, std::string_view what, const char* said) {
    char* own = nullptr;
    if (!said) {
        ::ldap_get_option(handle_, LDAP_OPT_DIAGNOSTIC_MESSAGE, &own);
        said = own;
    }
    std::string text = fmt::format("{} failed: {}", what, ::ldap_err2string(rc));
    if (said && *said) text += fmt::format(", {}", std::string_view(said).substr(0, 500));
    ::ldap_memfree(own);
    bool is_dead = rc == LDAP_SERVER_DOWN || rc == LDAP_CONNECT_ERROR || rc == LDAP_TIMEOUT || rc == LDAP_UNAVAILABLE ||
                   rc == LDAP_LOCAL_ERROR || rc == LDAP_DECODING_ERROR || rc == LDAP_NO_MEMORY;
    broken_ = broken_ || is_dead;
    ErrorCode code = rc == LDAP_TIMEOUT                                          ? ErrorCode::Timeout
                     : is_dead || rc == LDAP_BUSY                                ? ErrorCode::Unavailable
                     : rc == LDAP_NO_SUCH_OBJECT || rc == LDAP_INVALID_DN_SYNTAX ? ErrorCode::NotFound
                                                                                 : ErrorCode::InvalidArgument;
    return fail(code, std::move(text));
}

Status LdapConnection::set_options() {
    timeval connect = to_timeval(timeouts_.connect), bind = to_timeval(timeouts_.bind);
    const struct {
        int option;
        const void* value;
        const char* name;
    } options[] = {
        {LDAP_OPT_PROTOCOL_VERSION, &config_.ldap_version, "ldap_version"},
        {LDAP_OPT_DEREF, &config_.deref, "deref"},
        {LDAP_OPT_REFERRALS, LDAP_OPT_OFF, "referrals"},
        {LDAP_OPT_RESTART, LDAP_OPT_ON, "restart"},
        {LDAP_OPT_NETWORK_TIMEOUT, &connect, "network timeout"},
        {LDAP_OPT_TIMEOUT, &bind, "timeout"},
        {LDAP_OPT_X_KEEPALIVE_IDLE, &kKeepAliveIdle, "keepalive idle"},
        {LDAP_OPT_X_KEEPALIVE_PROBES, &kKeepAliveProbes, "keepalive probes"},
        {LDAP_OPT_X_KEEPALIVE_INTERVAL, &kKeepAliveInterval, "keepalive interval"},
        {LDAP_OPT_TCP_USER_TIMEOUT, &kUnacknowledged, "TCP user timeout"},
    };
    for (const auto& option : options)
        if (::ldap_set_option(handle_, option.option, option.value) != LDAP_OPT_SUCCESS)
            return fail(ErrorCode::InvalidArgument, fmt::format("Can't set {}", option.name));
    return {};
}

Result<std::unique_ptr<LdapConnection>> LdapConnection::open(const LdapConfig& config, const std::string& uri,
                                                             const LdapTls& tls, const LdapTimeouts& timeouts) {
    std::unique_ptr<LdapConnection> self(new LdapConnection(config, timeouts));
    if (int rc = ::ldap_initialize(&self->handle_, uri.c_str()); rc != LDAP_SUCCESS) {
        self->handle_ = nullptr;
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{}: ldap_initialize() failed: {}", uri, ::ldap_err2string(rc)));
    }
    TRY(self->set_options());
    TRY(tls.apply(self->handle_));
    if (!self->deadline_.attach(self->handle_)) return fail(ErrorCode::Internal, "Can't set the connect callback");
    self->deadline_.set(timeouts.connect);
    if (int rc = ::ldap_connect(self->handle_); rc != LDAP_SUCCESS)
        return self->failure(rc, fmt::format("connecting to {}{}", uri, uri.starts_with("ldaps") ? kTlsHint : ""));
    Sockbuf* buffer = nullptr;
    ber_len_t limit = kMessageLimit;
    if (::ldap_get_option(self->handle_, LDAP_OPT_SOCKBUF, &buffer) == LDAP_OPT_SUCCESS && buffer)
        ::ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &limit);
    if (!config.tls) return self;
    self->deadline_.set(timeouts.connect);
    if (int rc = ::ldap_start_tls_s(self->handle_, nullptr, nullptr); rc != LDAP_SUCCESS)
        return self->failure(rc, fmt::format("StartTLS with {}{}", uri, kTlsHint));
    return self;
}

Result<LDAPMessage*> LdapConnection::next_message(int number, int all, std::chrono::milliseconds timeout,
                                                  std::string_view what) {
    timeval limit = to_timeval(std::max(timeout, std::chrono::milliseconds(1)));
    deadline_.set(timeout);
    LDAPMessage* message = nullptr;
    int type = ::ldap_result(handle_, number, all, &limit, &message);
    if (type > 0) return message;
    int rc = LDAP_TIMEOUT;
    if (type < 0) ::ldap_get_option(handle_, LDAP_OPT_RESULT_CODE, &rc);
    // The answer may still come: this connection cannot serve anybody else.
    broken_ = true;
    if (type == 0) ::ldap_abandon_ext(handle_, number, nullptr, nullptr);
    return failure(rc == LDAP_SUCCESS ? LDAP_SERVER_DOWN : rc, what);
}

namespace {
struct BindOutcome {
    int code = LDAP_OTHER;
    std::string said;
};

BindOutcome read_outcome(LDAP* handle, LDAPMessage* message) {
    BindOutcome out;
    char* said = nullptr;
    int rc = ::ldap_parse_result(handle, message, &out.code, nullptr, &said, nullptr, nullptr, 1);
    if (rc != LDAP_SUCCESS) out.code = rc;
    if (said) out.said = std::string(said).substr(0, 500);
    ::ldap_memfree(said);
    return out;
}
}  // namespace

Status LdapConnection::bind_simple() {
    std::string password(config_.dnpass.reveal());
    berval secret{password.size(), password.data()};
    int number = 0;
    int rc = ::ldap_sasl_bind(handle_, config_.dn.c_str(), LDAP_SASL_SIMPLE, &secret, nullptr, nullptr, &number);
    ::explicit_bzero(password.data(), password.size());
    std::string what = fmt::format("binding (dn {})", config_.dn.empty() ? "(none)" : config_.dn);
    if (rc != LDAP_SUCCESS) return failure(rc, what);
    auto outcome = read_outcome(handle_, TRY(next_message(number, LDAP_MSG_ALL, timeouts_.bind, what)));
    if (outcome.code == LDAP_SUCCESS) return {};
    return failure(outcome.code, what, outcome.said.c_str());
}

// Synchronous in libldap; LDAP_OPT_TIMEOUT bounds each of its steps.
Status LdapConnection::bind_sasl() {
    const char* mechanism = config_.sasl_mech.empty() ? nullptr : config_.sasl_mech.c_str();
    int rc = ::ldap_sasl_interactive_bind_s(handle_, nullptr, mechanism, nullptr, nullptr, LDAP_SASL_QUIET, answer_sasl,
                                            const_cast<LdapConfig*>(&config_));
    if (rc == LDAP_SUCCESS) return {};
    return failure(rc, fmt::format("SASL binding (dn {})", config_.dn.empty() ? "(none)" : config_.dn));
}

Status LdapConnection::bind_default() {
    deadline_.set(timeouts_.bind);
    // LDAPv3 begins anonymously; LDAPv2 wants a bind of everybody.
    if (!config_.sasl_bind && config_.dn.empty() && config_.ldap_version > 2) return {};
    Status bound = config_.sasl_bind ? bind_sasl() : bind_simple();
    if (bound) return {};
    broken_ = true;
    return fail(ErrorCode::Unavailable, bound.error().detail);
}

Result<LdapConnection::UserBind> LdapConnection::bind_as(const std::string& dn, const SecretString& password) {
    if (dn.empty()) return UserBind{BindAnswer::NoSuchUser, "an empty DN"};
    if (password.empty()) return UserBind{BindAnswer::Refused, "an empty password"};
    deadline_.set(timeouts_.bind);
    std::string text(password.reveal());
    berval secret{text.size(), text.data()};
    int number = 0;
    int rc = ::ldap_sasl_bind(handle_, dn.c_str(), LDAP_SASL_SIMPLE, &secret, nullptr, nullptr, &number);
    ::explicit_bzero(text.data(), text.size());
    if (rc != LDAP_SUCCESS) return failure(rc, "ldap_bind()");
    auto outcome = read_outcome(handle_, TRY(next_message(number, LDAP_MSG_ALL, timeouts_.bind, "ldap_bind()")));
    switch (outcome.code) {
        case LDAP_SUCCESS: return UserBind{BindAnswer::Accepted, {}};
        case LDAP_INVALID_CREDENTIALS:
        case LDAP_INAPPROPRIATE_AUTH: return UserBind{BindAnswer::Refused, std::move(outcome.said)};
        case LDAP_NO_SUCH_OBJECT:
        case LDAP_INVALID_DN_SYNTAX: return UserBind{BindAnswer::NoSuchUser, std::move(outcome.said)};
        default: return failure(outcome.code, "ldap_bind()", outcome.said.c_str());
    }
}

}  // namespace culver
