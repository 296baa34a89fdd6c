// Settings as text: doveconf, `dovecot -n` and `dovecot -a`, docs/settings.md.
#pragma once

#include <string>
#include <vector>

#include "lib-config/load.h"
#include "lib-config/settings.h"

namespace culver {

enum class ShowSettings {
    All,       // -a
    Changed,   // -n: what differs from its default
    Written,   // -N: what the configuration sets, even to its default
    Defaults,  // -d
};

struct PrintOptions {
    ShowSettings show = ShowSettings::All;
    bool values_only = false;        // -h
    bool expand = false;             // -x: contents of files, values of $references
    bool show_secrets = false;       // -P
    bool flat = false;               // -S: one path=value per line
    std::string module;              // -m
    SettingFilter filter;            // -f
    std::vector<std::string> names;  // only these settings or blocks
};

// The header that stands above: versions, system, host name.
std::string print_header(const std::string& config_path, ShowSettings show);
// Everything `options` asks for, without header.
std::string print_settings(const Settings& settings, const PrintOptions& options);
// docs/settings.md: every setting with type, default and meaning.
std::string print_settings_page();

// The whole doveconf program; also what `dovecot -n` and `dovecot -a` run. Returns the exit code. `program` is the name
// in messages.
int doveconf_main(int argc, char** argv, const std::string& program = "doveconf");

}  // namespace culver
