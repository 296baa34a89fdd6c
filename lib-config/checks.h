// The parts of check_settings. Private to lib-config.
#pragma once

#include <string>
#include <vector>

#include "lib-config/load.h"

namespace culver::config {

struct Config;

// Collects what is wrong; `where` may be empty for what is missing altogether.
class Findings {
public:
    explicit Findings(const Settings& settings) : settings_(settings) {}

    void error(SettingOrigin where, std::string text, std::string hint);
    void warning(SettingOrigin where, std::string text, std::string hint);
    // About a file that is not part of the configuration; the text names it.
    void about_file(Severity severity, const SettingOrigin& where, const std::string& text, std::string hint);
    // " in /etc/dovecot/conf.d/10-mail.conf": the file where a missing setting belongs, if the configuration is split
    // so, else the main file.
    std::string in_file(const std::string& snippet) const;
    std::vector<Diagnostic> take() { return std::move(found_); }

private:
    const Settings& settings_;
    std::vector<Diagnostic> found_;
};

void check_protocols(const Settings& settings, Findings& out);
void check_databases(const Settings& settings, Findings& out);
void check_mail(const Settings& settings, Findings& out);
void check_ssl(const Settings& settings, Findings& out);
void check_listeners(const Settings& settings, Findings& out);

enum class PasswordFileUse { Passwords, Users };
// One file of a passwd-file database: `scheme` is that of passwords without {SCHEME}; `gives_uid` tells that uids come
// from elsewhere than the lines.
void check_password_file(const SettingOrigin& where, const std::string& path, const std::string& scheme,
                         PasswordFileUse use, bool gives_uid, const Settings& settings, Findings& out);

// What a configuration cannot mean although each line of it is right; Dovecot's words. Errors of load_settings.
void cross_check(const Config& config, std::vector<Diagnostic>& out);

bool user_exists(const std::string& name_or_number);
bool group_exists(const std::string& name_or_number);

}  // namespace culver::config
