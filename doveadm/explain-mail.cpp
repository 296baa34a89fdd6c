// doveadm auth explain: whose uid, which home, where the mail lies, and whether that user can use it.
//
// What lies in the user's own directories is looked at by a child that has become that user (security rule M9).
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "doveadm/explain.h"
#include "doveadm/path-access.h"
#include "lib-base/file.h"
#include "lib-base/text.h"
#include "lib-base/unique-fd.h"
#include "lib-delivery/user-access.h"
#include "lib-service/privileges.h"
#include "lib-storage/mail-user.h"

namespace culver::doveadm {

namespace {

constexpr std::size_t kVerdictLimit = 64 * 1024;

class Mail {
public:
    explicit Mail(Road& road) : road_(road) {
        record_.username = road_.request.user;
        for (const OriginatedField& field : road_.fields) record_.fields.emplace_back(field.key, field.value);
    }

    void explain() {
        road_.say("mail:");
        for (const auto& [field, setting] : {std::pair("uid", "mail_uid"), std::pair("gid", "mail_gid"),
                                             std::pair("home", "mail_home"), std::pair("mail", "mail_location")})
            explain_value(field, setting);
        auto settings = user_settings(road_.call.settings(), record_.fields);
        if (!settings) return road_.conclude(kExitTemporary, "The login ends at once: " + settings.error().detail);
        settings_ = *settings;
        auto identity = delivery_identity(record_, *settings_);
        if (!identity)
            return road_.conclude(kExitTemporary, "The login succeeds and ends at once: " + identity.error().detail);
        if (!road_.find("gid") && settings_->string("mail_gid").empty())
            return road_.conclude(kExitTemporary,
                                  "The login succeeds and ends at once: there is no gid. Set mail_gid, or gid "
                                  "in the userdb.");
        identity_ = *identity;
        if (!check_uid()) return;
        look_as_user();
    }

private:
    void explain_value(const std::string& field, const std::string& setting) {
        if (const OriginatedField* found = road_.find(field))
            return road_.add(fmt::format("{} = {} ({})", field, found->value, found->origin));
        const Settings& settings = *road_.call.settings();
        const std::string& value = settings.string(setting);
        road_.add(fmt::format("{} = {} ({}, {})", field, value.empty() ? "(not set)" : value, setting,
                              settings.origin(setting).to_string()));
    }

    bool check_uid() {
        const std::uint64_t uid = identity_.uid, first = settings_->number("first_valid_uid"),
                            last = settings_->number("last_valid_uid");
        if (uid >= first && (last == 0 || uid <= last)) return true;
        road_.conclude(
            kExitTemporary,
            fmt::format("The login succeeds and ends at once: uid {} is outside first_valid_uid..last_valid_uid "
                        "({}..{}). Change these, or give the user another uid.",
                        uid, first, last == 0 ? "" : std::to_string(last)));
        return false;
    }

    // The child prints facts; its verdicts come back by a pipe, a line each.
    void look_as_user() {
        if (::geteuid() != 0 && ::geteuid() != identity_.uid)
            return road_.add(fmt::format("directories: not looked at, that takes root or uid {}", identity_.uid));
        int ends[2];
        std::fflush(stdout);
        if (::pipe(ends) != 0) return road_.add("directories: not looked at, no pipe");
        UniqueFd reader(ends[0]), writer(ends[1]);
        const pid_t child = ::fork();
        if (child == 0) {
            reader.reset();
            for (const std::string& text : problems_as_user())
                (void)write_all(writer.get(), tab_escape(text) + "\n", "parent");
            std::fflush(stdout);
            ::_exit(0);
        }
        writer.reset();
        std::string lines;
        char block[4096];
        for (ssize_t n; (n = ::read(reader.get(), block, sizeof block)) > 0 && lines.size() < kVerdictLimit;)
            lines.append(block, static_cast<std::size_t>(n));
        if (child > 0) ::waitpid(child, nullptr, 0);
        for (std::string_view line : split(lines, '\n'))
            if (!line.empty()) road_.conclude(kExitTemporary, tab_unescape(line));
    }

    std::vector<std::string> problems_as_user() {
        PrivilegeTarget target;
        target.uid = identity_.uid;
        target.gid = identity_.gid;
        target.groups = identity_.groups;
        target.chroot = identity_.chroot;
        if (auto became = become(target); !became)
            return {"The directories cannot be looked at: " + became.error().detail};
        MailUserIdentity person;
        person.username = record_.username;
        person.uid = std::to_string(identity_.uid);
        person.gid = std::to_string(identity_.gid);
        person.service = road_.request.service;
        person.local_ip = road_.request.local_ip;
        person.remote_ip = road_.request.remote_ip;
        person.settings = settings_;
        if (auto home = resolve_home(person, record_.fields); !home)
            return {"The login succeeds and ends at once: " + home.error().detail};
        std::vector<std::string> problems;
        if (!person.home.empty()) look(problems, "home", person.home);
        MailboxCache cache;
        auto user = MailUser::open(person, cache);
        if (!user) {
            problems.push_back("The login succeeds and ends at once: " + user.error().detail);
            return problems;
        }
        auto paths = (*user)->paths(*MailboxName::parse("INBOX"));
        if (!paths) {
            problems.push_back("INBOX cannot be opened: " + paths.error().detail);
            return problems;
        }
        look(problems, "INBOX", paths->mail);
        if (paths->control != paths->mail) look(problems, "control files", paths->control);
        if (paths->index.empty()) road_.add("index files: in memory only");
        else if (paths->index != paths->mail) look(problems, "index files", paths->index);
        return problems;
    }

    void look(std::vector<std::string>& problems, std::string_view what, const std::string& path) const {
        PathAccess access = look_at_directory(path, identity_.uid, identity_.gid);
        for (const std::string& fact : access.facts) road_.add(fmt::format("{}: {}", what, fact));
        if (access.problem.empty()) return;
        road_.add(fmt::format("{}: {}", what, access.problem));
        // One directory that stops three things is one thing to mend.
        const std::string_view cause = std::string_view(access.problem).substr(0, access.problem.find("Try:"));
        for (const std::string& known : problems)
            if (known.find(cause) != known.npos) return;
        problems.push_back("The login succeeds, but the mail cannot be used: " + access.problem);
    }

    Road& road_;
    UserRecord record_;
    std::shared_ptr<const Settings> settings_;  // shared with the mail user made from it
    WorkerIdentity identity_;
};

}  // namespace

void explain_mail(Road& road) { Mail(road).explain(); }

}  // namespace culver::doveadm
