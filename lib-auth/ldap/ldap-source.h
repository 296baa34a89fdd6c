// The configuration and the connections behind passdb ldap and userdb ldap. Thread-safe; blocks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib-auth/auth-request.h"
#include "lib-auth/ldap/ldap-config.h"
#include "lib-auth/ldap/ldap-pool.h"
#include "lib-auth/passdb.h"
#include "lib-base/file.h"

namespace culver {

class LdapSource {
public:
    // `args`: the path of the configuration file. The same file with the same text is one source, whoever asks.
    static Result<std::shared_ptr<LdapSource>> open(const std::string& args, const DriverContext& context);

    const LdapConfig& config() const { return config_; }
    bool was_made_of(std::string_view text) const { return text_.equals(text); }
    // Reads the files of the tls_* settings again if they have changed; where that fails, the old ones stay in use.
    void refresh_tls();

    // The only entry that `filter` finds for this request, with those that its pointers lead to; nothing if there is
    // none. Corrupt if there are several.
    Result<std::optional<LdapAnswer>> find_one(const std::string& filter, const LdapAttributes& attributes,
                                               const AuthRequest& request);
    // Whether the server takes this password for this DN. No search connection ever changes its identity.
    Result<LdapConnection::UserBind> bind_as(const std::string& dn, const SecretString& password);
    // Every value of `user` in iterate_attrs.
    Status for_each_user(const std::function<void(std::string_view user)>& visit);

    LdapSource(LdapConfig config, std::string_view text);

private:
    Status load_tls();
    LdapPool::Opener opener(LdapPool::Identity identity);
    std::vector<std::optional<FileStamp>> tls_file_stamps() const;
    Result<std::optional<LdapAnswer>> follow_pointers(LdapEntry entry, const LdapAttributes& attributes,
                                                      const AuthRequest& request);

    const LdapConfig config_;
    const SecretString text_;
    std::mutex mutex_;                                  // guards tls_ and tls_stamps_
    std::vector<std::optional<FileStamp>> tls_stamps_;  // of the files when they were read
    std::shared_ptr<LdapTls> tls_;  // shared with the opening of connections under way, while a reload replaces it
    LdapPool searches_, binds_;
};

// The sources in use by file, so that passdb and userdb share connections, and a reload keeps them. Thread-safe.
class LdapRegistry {
public:
    // The one that was made of this text; null if there is none.
    std::shared_ptr<LdapSource> find(const std::string& path, std::string_view text);
    void keep(const std::string& path, const std::shared_ptr<LdapSource>& source);

private:
    std::mutex mutex_;  // guards sources_
    std::map<std::string, std::weak_ptr<LdapSource>> sources_;
};

}  // namespace culver
