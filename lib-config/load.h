// Reads a configuration and finds everything that is wrong with it in one run.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib-config/settings.h"

namespace culver {

enum class Severity { Warning, Error };

struct Diagnostic {
    Severity severity;
    SettingOrigin where;
    std::string text;             // what is wrong, in Dovecot's words where it has any
    std::string hint;             // what to write instead; may be empty
    bool text_has_place = false;  // the text names the file itself, as some of Dovecot's warnings do
};

// The line that programs print: "Error in configuration file F line N: text", without program name and level.
std::string format_diagnostic(const Diagnostic& diagnostic);
// All of them as doveconf, dovecot and doveadm print them, a hint on a line of its own below each:
//   doveconf: Fatal: Error in configuration file F line N: Unknown setting: foo
//       did you mean "food"?
// `error_level` is the word for errors: "Fatal" when nothing can be done with the configuration, else "Error".
std::string format_diagnostics(const std::vector<Diagnostic>& diagnostics, const std::string& program,
                               const std::string& error_level = "Fatal");

struct LoadOptions {
    std::string path = "/etc/dovecot/dovecot.conf";
    std::vector<std::pair<std::string, std::string>> overrides;  // -o name=value
    bool expand_files = true;                                    // replace <file values by their contents
};

struct LoadedSettings {
    std::shared_ptr<const Settings> settings;  // null if there is an Error among the diagnostics
    std::vector<Diagnostic> diagnostics;       // all of them, in the order of the files
};

LoadedSettings load_settings(const LoadOptions& options);

// What will fail later with these settings though they parse: no passdb, no mail_uid, no mail_location and nothing to
// detect, no certificate, an unreadable key, a password file with a broken line. Looks at the file system.
std::vector<Diagnostic> check_settings(const Settings& settings);

// Exit code of every program for a configuration that cannot be used.
inline constexpr int kExitConfig = 89;

}  // namespace culver
