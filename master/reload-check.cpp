#include "master/reload-check.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib-base/text.h"
#include "lib-service/privileges.h"
#include "master/wanted-listener.h"

namespace culver {
namespace {

class ServiceCheck {
public:
    ServiceCheck(const Settings& settings, const ServiceSettings& service, std::vector<std::string>& problems)
        : settings_(settings), service_(service), problems_(problems) {}

    void run(const std::string& program_directory) {
        wanted_listeners(settings_, service_, problems_);
        check_program(program_directory);
        if (::geteuid() != 0) return;  // then nobody becomes anybody else
        if (!service_.user.empty()) complain(find_user(service_.user));
        if (!service_.group.empty()) complain(find_group(service_.group));
        std::string groups = service_.extra_groups;
        std::ranges::replace(groups, ',', ' ');
        for (std::string_view group : split_words(groups)) complain(find_group(group));
        check_chroot();
    }

private:
    void problem(const std::string& text) {
        problems_.push_back(fmt::format("{}: service({}): {}", service_.origin.to_string(), service_.name, text));
    }
    template <typename T>
    void complain(const Result<T>& found) {
        if (!found) problem(found.error().detail);
    }

    void check_program(const std::string& program_directory) {
        const auto words = split_words(service_.executable);
        std::string path(words.empty() ? std::string_view(service_.name) : words[0]);
        if (!path.starts_with('/')) path = program_directory + "/" + path;
        if (::access(path.c_str(), X_OK) != 0)
            problem(fmt::format("executable {} cannot be run: {}", path, std::strerror(errno)));
    }

    void check_chroot() {
        if (service_.chroot.empty()) return;
        std::string path = service_.chroot;
        if (!path.starts_with('/')) path = settings_.string("base_dir") + "/" + path;
        struct stat st;
        if (::stat(path.c_str(), &st) != 0) problem(fmt::format("chroot {}: {}", path, std::strerror(errno)));
        else if (!S_ISDIR(st.st_mode)) problem(fmt::format("chroot {} is no directory", path));
    }

    const Settings& settings_;
    const ServiceSettings& service_;
    std::vector<std::string>& problems_;
};

}  // namespace

std::vector<std::string> service_problems(const Settings& settings, const std::vector<std::string>& services,
                                          const std::string& program_directory) {
    std::vector<std::string> problems;
    for (const std::string& name : services)
        if (const ServiceSettings* service = settings.find_service(name))
            ServiceCheck(settings, *service, problems).run(program_directory);
    return problems;
}

bool has_new_errors(const std::vector<Diagnostic>& now, const std::vector<Diagnostic>& before) {
    return std::ranges::any_of(now, [&](const Diagnostic& each) {
        return each.severity == Severity::Error && !each.text_has_place &&
               std::ranges::none_of(before, [&](const Diagnostic& other) { return other.text == each.text; });
    });
}

}  // namespace culver
