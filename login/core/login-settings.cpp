#include "login/core/login-settings.h"

#include <algorithm>

#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-service/tls-settings.h"

namespace culver {
namespace {

TlsServerOptions tls_options(const Settings& settings) {
    TlsServerOptions options = tls_server_options(settings);
    if (!settings.boolean("ssl_verify_client_cert")) return options;
    options.client_ca = settings.string("ssl_ca");
    options.require_crl = settings.boolean("ssl_require_crl");
    options.cert_username_field = settings.string("ssl_cert_username_field");
    return options;
}

bool one_name_matches(std::string_view pattern, std::string_view name) {
    if (equals_ignore_case(pattern, name)) return true;
    if (!pattern.starts_with("*.")) return false;
    const auto dot = name.find('.');  // the star stands for one label, as in certificates
    return dot != std::string_view::npos && equals_ignore_case(pattern.substr(1), name.substr(dot));
}

}  // namespace

LoginSettings LoginSettings::from(std::shared_ptr<const Settings> view) {
    LoginSettings result;
    const std::string& ssl = view->string("ssl");
    result.tls = ssl == "no" ? TlsPolicy::No : ssl == "required" ? TlsPolicy::Required : TlsPolicy::Yes;
    result.disable_plaintext_auth = view->boolean("disable_plaintext_auth");
    result.verbose_ssl = view->boolean("verbose_ssl");
    result.auth_verbose = view->boolean("auth_verbose");
    result.requires_client_cert = view->boolean("auth_ssl_require_client_cert");
    result.takes_username_from_cert = view->boolean("auth_ssl_username_from_cert");
    result.greeting = view->string("login_greeting");
    result.log_format = view->string("login_log_format");
    result.log_format_elements = view->string("login_log_format_elements");
    const std::string& trusted = view->string("login_trusted_networks");
    if (!trusted.empty()) result.trusted_networks = parse_networks(trusted, nullptr);
    result.view = std::move(view);
    return result;
}

bool LoginSettings::is_trusted(const IpAddress& remote) const {
    return std::ranges::any_of(trusted_networks, [&](const IpNetwork& network) { return network.contains(remote); });
}

bool local_name_matches(std::string_view label, std::string_view name) {
    return std::ranges::any_of(split_words(label), [&](std::string_view word) { return one_name_matches(word, name); });
}

Result<std::shared_ptr<TlsContext>> TlsContexts::find(const std::shared_ptr<const Settings>& view) {
    if (view->boolean("ssl_verify_client_cert") && view->string("ssl_ca").empty())
        return fail(ErrorCode::InvalidArgument, "ssl_verify_client_cert set, but ssl_ca not");
    if (view->string("ssl_cert").empty())
        return fail(ErrorCode::InvalidArgument,
                    "ssl enabled, but ssl_cert not set (set ssl_cert and ssl_key, or ssl = no)");
    auto context = find_options(tls_options(*view));
    if (context && !view->local_names().empty()) {
        (*context)->choose_by_name([this, view](const std::string& name) { return for_name(view, name); });
    }
    return context;
}

Result<std::shared_ptr<TlsContext>> TlsContexts::find_options(TlsServerOptions options) {
    for (const Entry& entry : entries_)
        if (entry.options == options) return entry.context;
    auto context = TlsContext::create(options);
    entries_.push_back({std::move(options), context});
    return context;
}

// Null: no block names it, or what it says does not work (then the client gets the certificate without a name).
std::shared_ptr<TlsContext> TlsContexts::for_name(const std::shared_ptr<const Settings>& view,
                                                  const std::string& name) {
    const auto labels = view->local_names();
    if (!std::ranges::any_of(labels, [&](const std::string& label) { return local_name_matches(label, name); }))
        return nullptr;
    SettingFilter filter;
    filter.protocol = protocol_;
    filter.local_name = name;
    auto context = find_options(tls_options(*view->for_filter(filter)));
    if (context) return *context;
    log_error("Failed to initialize SSL server context for local_name " + name + ": " + context.error().detail);
    return nullptr;
}

}  // namespace culver
