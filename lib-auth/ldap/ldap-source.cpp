#include "lib-auth/ldap/ldap-source.h"

#include <fmt/format.h>

#include "lib-auth/ldap/ldap-escape.h"
#include "lib-base/log.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr std::size_t kPointerLimit = 16;  // further searches for one entry

bool has_variables(std::string_view text) { return text.find('%') != text.npos; }
}  // namespace

LdapSource::LdapSource(LdapConfig config, std::string_view text)
    : config_(std::move(config)),
      text_(text),
      searches_(config_.uris, opener(LdapPool::Identity::Default)),
      binds_(config_.uris, opener(LdapPool::Identity::None)) {}

LdapPool::Opener LdapSource::opener(LdapPool::Identity identity) {
    return [this, identity](const std::string& uri) -> Result<std::unique_ptr<LdapConnection>> {
        std::shared_ptr<LdapTls> tls;
        {
            std::lock_guard lock(mutex_);
            tls = tls_;
        }
        auto connection = TRY(LdapConnection::open(config_, uri, *tls, LdapTimeouts{}));
        if (identity == LdapPool::Identity::Default) TRY(connection->bind_default());
        return connection;
    };
}

std::vector<std::optional<FileStamp>> LdapSource::tls_file_stamps() const {
    std::vector<std::optional<FileStamp>> stamps;
    for (const std::string* path :
         {&config_.tls_ca_cert_file, &config_.tls_ca_cert_dir, &config_.tls_cert_file, &config_.tls_key_file})
        stamps.push_back(path->empty() ? std::nullopt : FileStamp::of_path(*path));
    return stamps;
}

Status LdapSource::load_tls() {
    auto stamps = tls_file_stamps();
    auto tls = TRY(LdapTls::load(config_));
    std::lock_guard lock(mutex_);
    tls_ = std::move(tls);
    tls_stamps_ = std::move(stamps);
    return {};
}

void LdapSource::refresh_tls() {
    {
        std::lock_guard lock(mutex_);
        if (tls_file_stamps() == tls_stamps_) return;
    }
    // A key that only root may read cannot be read again by authd; the one from the start goes on working.
    if (auto loaded = load_tls(); !loaded)
        log_warning(fmt::format("ldap: the changed files of the tls_* settings are not in use, restart the server: {}",
                                loaded.error().detail));
}

Result<std::shared_ptr<LdapSource>> LdapSource::open(const std::string& args, const DriverContext& context) {
    std::string path(trim(args));
    if (path.empty())
        return fail(ErrorCode::InvalidArgument,
                    "ldap: Configuration file path not given: write \"args = /etc/dovecot/dovecot-ldap.conf.ext\"");
    std::string all;
    auto read = [&](const std::string& name) -> Result<std::string> {
        std::string text = TRY(context.files->read_config(name));
        all += text + '\0';
        return text;
    };
    std::string text = TRY(read(path));
    auto config = parse_ldap_config(text, path, read);
    ::explicit_bzero(text.data(), text.size());
    if (!config) return fail(ErrorCode::InvalidArgument, "ldap: " + config.error().detail);
    auto source = context.ldap ? context.ldap->find(path, all) : nullptr;
    if (source) {
        source->refresh_tls();
        return source;
    }
    if (auto begun = begin_ldap_library(*config); !begun)
        return fail(ErrorCode::InvalidArgument, fmt::format("ldap: {}: {}", path, begun.error().detail));
    source = std::make_shared<LdapSource>(std::move(*config), all);
    if (auto loaded = source->load_tls(); !loaded)
        return fail(ErrorCode::InvalidArgument, fmt::format("ldap: {}: {}", path, loaded.error().detail));
    int level = source->config_.debug_level;
    if (level != 0) ::ldap_set_option(nullptr, LDAP_OPT_DEBUG_LEVEL, &level);
    if (context.ldap) context.ldap->keep(path, source);
    return source;
}

Result<std::optional<LdapAnswer>> LdapSource::find_one(const std::string& filter, const LdapAttributes& attributes,
                                                       const AuthRequest& request) {
    LdapConnection::Search search;
    search.base = TRY(expand_ldap_dn(config_.base, request));
    search.filter = TRY(expand_ldap_filter(filter, request));
    search.scope = config_.scope;
    search.attributes = attributes.wanted();
    log_debug(fmt::format("ldap({}): search base={} filter={} fields={}", request.log_identity(), search.base,
                          search.filter, join(search.attributes, ",")));
    std::vector<LdapEntry> found;
    Status asked = searches_.run([&](LdapConnection& connection) -> Status {
        found = TRY(connection.search(search));
        return {};
    });
    if (!asked) {
        // No such base: there is no such domain. A base without variables is a mistake of the configuration.
        if (asked.error().code == ErrorCode::NotFound && has_variables(config_.base)) return std::nullopt;
        return std::unexpected(asked.error());
    }
    if (found.empty()) return std::nullopt;
    if (found.size() > 1)
        return fail(ErrorCode::Corrupt,
                    fmt::format("LDAP search returned multiple entries: {}, {}", found[0].dn, found[1].dn));
    return follow_pointers(std::move(found[0]), attributes, request);
}

Result<std::optional<LdapAnswer>> LdapSource::follow_pointers(LdapEntry entry, const LdapAttributes& attributes,
                                                              const AuthRequest& request) {
    LdapAnswer answer{std::move(entry), {}};
    for (const LdapAttributes::Pointer& pointer : attributes.pointers()) {
        auto dn = attributes.pointed_dn(pointer, answer.entry, request);
        if (!dn || pointer.wanted.empty() || answer.pointed.size() >= kPointerLimit) continue;
        LdapConnection::Search search;
        search.base = *dn;
        search.filter = "(objectClass=*)";
        search.scope = LDAP_SCOPE_BASE;
        search.attributes = pointer.wanted;
        std::vector<LdapEntry> found;
        Status asked = searches_.run([&](LdapConnection& connection) -> Status {
            found = TRY(connection.search(search));
            return {};
        });
        // A pointer into nothing is an attribute that is missing.
        if (!asked && asked.error().code != ErrorCode::NotFound) return std::unexpected(asked.error());
        if (asked && !found.empty()) answer.pointed.emplace(pointer.name, std::move(found[0]));
    }
    return answer;
}

Result<LdapConnection::UserBind> LdapSource::bind_as(const std::string& dn, const SecretString& password) {
    LdapConnection::UserBind answer;
    Status asked = binds_.run([&](LdapConnection& connection) -> Status {
        answer = TRY(connection.bind_as(dn, password));
        return {};
    });
    if (!asked) return std::unexpected(asked.error());
    return answer;
}

Status LdapSource::for_each_user(const std::function<void(std::string_view user)>& visit) {
    AuthRequest nobody;
    LdapConnection::Search search;
    search.base = TRY(expand_ldap_dn(config_.base, nobody));
    search.filter = TRY(expand_ldap_filter(config_.iterate_filter, nobody));
    search.scope = config_.scope;
    search.attributes = config_.iterate_attrs.wanted();
    search.limit = 0;
    std::string complaint;
    Status done = searches_.run([&](LdapConnection& connection) -> Status {
        return connection.for_each(search, [&](LdapEntry entry) {
            LdapAnswer answer{std::move(entry), {}};
            for (const std::string& user :
                 config_.iterate_attrs.users(answer, [&](std::string text) { complaint = std::move(text); }))
                visit(user);
            return true;
        });
    });
    if (!complaint.empty()) log_warning("ldap: " + complaint);
    return done;
}

std::shared_ptr<LdapSource> LdapRegistry::find(const std::string& path, std::string_view text) {
    std::lock_guard lock(mutex_);
    auto source = sources_[path].lock();
    return source && source->was_made_of(text) ? source : nullptr;
}

void LdapRegistry::keep(const std::string& path, const std::shared_ptr<LdapSource>& source) {
    std::lock_guard lock(mutex_);
    sources_[path] = source;
}

}  // namespace culver
