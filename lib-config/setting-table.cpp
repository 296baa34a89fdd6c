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

namespace {
bool uses_area(std::string_view module, Area area) {
    if (area == Common) return true;
    for (const auto& known : kModules)
        if (known.name == module) return std::ranges::find(known.areas, area) != known.areas.end();
    return false;
}
}  // namespace

bool module_uses(std::string_view module, const SettingSpec& spec) { return uses_area(module, spec.area); }

bool module_uses(std::string_view module, BlockKind kind) {
    switch (kind) {
        case BlockKind::Service: return uses_area(module, Master);
        case BlockKind::PassDb:
        case BlockKind::UserDb: return uses_area(module, Auth);
        case BlockKind::Namespace:
        case BlockKind::Plugin: return uses_area(module, Mail);
        case BlockKind::Dict: return uses_area(module, Area::Dict);
        case BlockKind::Metric:
        case BlockKind::EventExporter: return uses_area(module, Stats);
        default: return true;
    }
}

}  // namespace culver
