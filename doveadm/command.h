// A doveadm command: a declaration (words, options, arguments, help) and one function.
//
// Each command is one file under doveadm/commands/ that defines a CommandSpec; doveadm/command-table.cpp lists them.
// The framework parses the options, reads the configuration, and for mail commands finds the users, takes on each
// user's uid and opens the mail. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "doveadm/formatter.h"
#include "lib-base/result.h"
#include "lib-config/settings.h"

namespace culver {
class MailUser;
}

namespace culver::doveadm {

// Exit codes, from sysexits.h; scripts rely on them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 64;
inline constexpr int kExitExists = 65;        // EX_DATAERR: already exists
inline constexpr int kExitNoUser = 67;        // EX_NOUSER
inline constexpr int kExitNotFound = 68;      // EX_NOHOST: mailbox or session not found
inline constexpr int kExitTemporary = 75;     // EX_TEMPFAIL: internal errors, sockets, unknown formatter
inline constexpr int kExitNoPermission = 77;  // EX_NOPERM
inline constexpr int kExitConfiguration = 89;

// The exit code that stands for an error of the storage, of authd, of the disk.
int exit_code_for(const Error& error);

struct OptionSpec {
    char letter;
    std::string_view value;  // what its value is called in the help ("socket path"); empty = a switch
    std::string_view help;
};

class Invocation;

// What the framework does before a command runs.
enum class Needs {
    Settings,  // the configuration is read; exit 89 when it has errors
    Nothing,   // settings() must not be called
};

struct CommandSpec {
    std::string_view words;     // "mailbox list"
    std::string_view synopsis;  // what stands behind the words, without the options common to mail commands
    std::string_view help;      // one sentence
    std::vector<OptionSpec> options = {};
    std::string_view formatter = "flow";  // used without -f
    Needs needs = Needs::Settings;

    // An ordinary command: returns the exit code.
    int (*run)(Invocation& call) = nullptr;
    // A mail command (-u, -A, -F, -S): `prepare` checks the arguments once and names the columns (exit code, 0 = go
    // on); `run_for_user` is called for each user with that user's uid and mail.
    int (*prepare)(Invocation& call) = nullptr;
    int (*run_for_user)(Invocation& call, MailUser& user) = nullptr;

    bool is_mail_command() const { return run_for_user != nullptr; }
};

// The whole table, in the order of the help. Ends with no sentinel.
const std::vector<const CommandSpec*>& command_table();

// The global options: -c, -o, -D, -v, -f.
struct GlobalOptions {
    std::string config_path = "/etc/dovecot/dovecot.conf";
    std::vector<std::pair<std::string, std::string>> overrides;
    std::string formatter;  // empty = the command's own
    bool debug = false, verbose = false;
};

// One call of a command: what stood on the command line, and where the output goes.
class Invocation {
public:
    Invocation(const CommandSpec& spec, GlobalOptions global) : spec_(spec), global_(std::move(global)) {}

    const CommandSpec& spec() const { return spec_; }
    const GlobalOptions& global() const { return global_; }

    bool has(char letter) const;
    // The value of an option, of the last one if it was given several times; nothing if it was not given.
    std::optional<std::string> option(char letter) const;
    std::vector<std::string> options(char letter) const;
    const std::vector<std::string>& arguments() const { return arguments_; }

    // Filtered for protocol doveadm.
    const std::shared_ptr<const Settings>& settings() const { return settings_; }
    // base_dir + "/" + path, or the absolute path as it is.
    std::string socket_path(std::string_view path) const;
    Formatter& out() { return *formatter_; }

    // Lines on standard error: "Error: text", behind "doveadm(user): " while a user's mail is open.
    void error(std::string_view text) const;
    void fatal(std::string_view text) const;
    void info(std::string_view text) const;
    // An error line, "what: ..." with the text for users if that says it all, the detail otherwise; returns the exit
    // code.
    int report(const Error& error, std::string_view what = {}) const;
    // Prints the command's synopsis on standard error; returns kExitUsage: `return call.usage();`
    int usage() const;

    // For the framework.
    void set_settings(std::shared_ptr<const Settings> settings) { settings_ = std::move(settings); }
    void set_formatter(std::unique_ptr<Formatter> formatter) { formatter_ = std::move(formatter); }
    void set_user(std::string user) { user_ = std::move(user); }
    // Reads options and arguments behind the words; an error line was printed if it returns false.
    bool parse(const std::vector<std::string>& words);

private:
    std::optional<OptionSpec> find_option(char letter) const;

    const CommandSpec& spec_;
    GlobalOptions global_;
    std::vector<std::pair<char, std::string>> options_;
    std::vector<std::string> arguments_;
    std::shared_ptr<const Settings> settings_;  // shared with the mail users made from it
    std::unique_ptr<Formatter> formatter_;
    std::string user_;
};

}  // namespace culver::doveadm
