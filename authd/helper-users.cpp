#include "authd/helper-users.h"

#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "lib-base/text.h"
#include "lib-service/privileges.h"

namespace culver {

namespace {
struct Target {
    bool known = true;  // false: the configuration names somebody who does not exist
    bool change = false;
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    std::string chroot, directory;
    std::uint64_t memory = 0;
};

Target target_of(const ServiceSettings& service) {
    Target target;
    if (service.user.empty() || service.user == "root") return target;
    auto user = find_user(service.user);
    target.known = user.has_value();
    if (!user) return target;
    target.change = true;
    target.uid = user->uid;
    target.gid = user->gid;
    target.groups = groups_of(user->name, user->gid);
    if (!service.group.empty()) {
        auto group = find_group(service.group);
        target.known = group.has_value();
        if (group) target.gid = *group;
    }
    std::string extra = service.extra_groups;
    std::replace(extra.begin(), extra.end(), ',', ' ');
    for (std::string_view name : split_words(extra))
        if (auto group = find_group(name)) target.groups.push_back(*group);
    return target;
}

bool apply(const Target& target) {
    if (!target.known) return false;
    ::umask(077);
    if (!target.directory.empty() && ::chdir(target.directory.c_str()) != 0 && ::chdir("/") != 0) return false;
    if (target.memory != 0) limit_memory(target.memory);
    if (::geteuid() != 0) return true;
    if (!target.chroot.empty() && (::chdir(target.chroot.c_str()) != 0 || ::chroot(".") != 0)) return false;
    if (!target.change) return true;
    return ::setgroups(target.groups.size(), target.groups.data()) == 0 &&
           ::setresgid(target.gid, target.gid, target.gid) == 0 && ::setresuid(target.uid, target.uid, target.uid) == 0;
}
}  // namespace

std::function<bool()> become_worker(const Settings& settings) {
    Target target;
    if (const ServiceSettings* service = settings.find_service("auth-worker")) target = target_of(*service);
    return [target] { return apply(target); };
}

std::function<bool()> become_auth_user(const Settings& settings) {
    Target target;
    if (const ServiceSettings* service = settings.find_service("auth")) {
        target = target_of(*service);
        target.memory = service->vsz_limit;
        if (!service->chroot.empty())
            target.chroot = service->chroot.starts_with('/') ? service->chroot
                                                             : settings.string("base_dir") + "/" + service->chroot;
    }
    target.directory = settings.string("base_dir");
    return [target] { return apply(target); };
}

}  // namespace culver
