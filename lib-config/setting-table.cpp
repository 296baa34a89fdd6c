#include "lib-config/setting-table.h"

#include <algorithm>
#include <initializer_list>
#include <vector>

namespace culver {

namespace {

struct Module {
    std::string_view name;
    std::initializer_list<Area> areas;  // beside Common
};

using enum Area;
const std::initializer_list<Module> kModules = {
    {"auth", {Auth, AuthLogin, Users}},
    {"imap", {Mail, Remote, Users, Imap, ImapLogin, Session, Sending}},
    {"imap-login", {Login, AuthLogin, Greeting, ImapLogin}},
    {"login", {Login, AuthLogin, Greeting}},
    {"pop3-login", {Login, AuthLogin, Greeting}},
    {"submission-login", {Login, AuthLogin, Greeting, Submission}},
    {"pop3", {Mail, Remote, Users, Pop3, Session}},
    {"lmtp", {Mail, Remote, Users, Lmtp, Delivery, Sending, Greeting}},
    {"lda", {Mail, Remote, Users, Delivery, Sending}},
    {"submission", {Mail, Remote, Users, Submission, Session, Greeting}},
    {"doveadm", {Mail, Remote, Users, Doveadm}},
    {"mail", {Mail, Remote, Users}},
    {"ssl", {Ssl}},
    {"master", {Master, Users}},
    {"director", {Director}},
    {"stats", {Stats}},
    {"replicator", {Replication}},
    {"aggregator", {Replication}},
    {"dict", {Dict}},
    {"managesieve", {Sieve, Mail, Remote, Users}},
    {"managesieve-login", {Sieve, Login, AuthLogin, Greeting}},
};

}  // namespace

std::span<const SettingSpec> root_settings() {
    static const std::vector<SettingSpec> rows = [] {
        std::vector<SettingSpec> all;
        for (auto part : {auth_settings(), login_settings(), server_settings(), mail_settings(), protocol_settings()})
            all.insert(all.end(), part.begin(), part.end());
        std::ranges::sort(all, {}, &SettingSpec::name);
        return all;
    }();
    return rows;
}

bool module_uses(std::string_view module, const SettingSpec& spec) {
    if (spec.area == Common) return true;
    for (const auto& known : kModules)
        if (known.name == module) return std::ranges::find(known.areas, spec.area) != known.areas.end();
    return false;
}

}  // namespace culver
