// dovecot-lda: delivers one message from standard input into a user's mailbox (docs/lda.md). Run by Postfix's pipe(8)
// and local(8); its exit status says what becomes of the message, so nothing here may end with a status that was not
// meant.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "lda/command-line.h"
#include "lda/recipient.h"
#include "lib-base/log.h"
#include "lib-config/load.h"
#include "lib-delivery/delivery.h"
#include "lib-delivery/session-id.h"
#include "lib-service/log-sink.h"
#include "lib-smtp/address.h"

using namespace culver;

namespace {

// Said in the log and to the MTA, which puts standard error into its own report.
int fatal(int status, const std::string& text) {
    log_line(LogLevel::Fatal, text);
    return status;
}

// Before there is a log: standard error only.
int early_fatal(int status, const std::string& text) {
    fmt::print(stderr, "lda: Fatal: {}\n", text);
    return status;
}

// Nothing if the configuration cannot be used; everything that is wrong with it was printed.
std::shared_ptr<const Settings> load(const LdaCommandLine& line) {
    // The caller may be nobody special: files like ssl_key are not opened.
    LoadedSettings loaded = load_settings({.path = line.config, .overrides = {}, .expand_files = false});
    if (!loaded.settings) {
        for (const Diagnostic& problem : loaded.diagnostics)
            if (problem.severity == Severity::Error)
                early_fatal(0, fmt::format("Error reading configuration: {}{}{}",
                                           problem.where.file.empty() ? "" : problem.where.to_string() + ": ",
                                           problem.text, problem.hint.empty() ? "" : " (" + problem.hint + ")"));
        return nullptr;
    }
    return loaded.settings->for_filter({.protocol = "lda", .local_name = {}, .local = {}, .remote = {}});
}

// -o: a name that is no setting is passed over with a word in the log, as Dovecot passes over it without one.
std::shared_ptr<const Settings> override_settings(std::shared_ptr<const Settings> settings,
                                                  const LdaCommandLine& line) {
    for (const auto& assignment : line.overrides) {
        auto changed = settings->with_overrides({assignment});
        if (changed) settings = std::move(*changed);
        else log_warning(fmt::format("-o {}={}: {}", assignment.first, assignment.second, changed.error().detail));
    }
    return settings;
}

Result<UniqueFd> open_input(const std::string& path) {
    if (path.empty()) return UniqueFd(::fcntl(0, F_DUPFD_CLOEXEC, 3));
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd) return fail_errno("Can't open delivery mail: open(" + path + ")");
    return fd;
}

int exit_status(const Error& error, const LdaCommandLine& line) {
    if (error.code != ErrorCode::OverQuota || !line.reject_by_exit) return EX_TEMPFAIL;
    fmt::print(stderr, "Quota exceeded (mailbox for user is full)\n");
    return EX_NOPERM;
}

int deliver_as(const LdaRecipient& recipient, const LdaCommandLine& line, const std::string& session, int input) {
    MailboxCache mailboxes(1);
    auto user = MailUser::open(recipient.identity, mailboxes);
    if (!user) return fatal(EX_TEMPFAIL, user.error().detail);
    DeliveryOrder order;
    order.mailbox = line.mailbox;
    auto sender = parse_address(line.sender);
    order.sender = sender ? sender->to_string() : line.sender;
    order.recipient = !line.final_recipient.empty() ? line.final_recipient : recipient.identity.username;
    order.session = session;
    StreamSource message(input);
    Status saved = deliver(**user, *recipient.identity.settings, order, message);
    return saved ? EX_OK : exit_status(saved.error(), line);
}

int run(const LdaCommandLine& line) {
    const std::string session = new_session_id();
    std::shared_ptr<const Settings> settings = load(line);
    if (!settings) return EX_TEMPFAIL;
    auto log = LogWriter::open(LogTargets::from(*settings));
    if (!log) return early_fatal(EX_TEMPFAIL, log.error().detail);
    // Everything that a person must see, the MTA sees too: it copies standard error into its own log and reports.
    set_log_sink([writer = std::shared_ptr<LogWriter>(std::move(*log))](LogLevel level, std::string_view text) {
        writer->write(level, text);
        if (level >= LogLevel::Error) fmt::print(stderr, "{}\n", line_with_level(level, text));
    });
    const std::string named = line.user ? *line.user : calling_user();
    set_log_prefix("lda" + (named.empty() ? "" : "(" + named + ")") + ": ");
    set_log_debug(settings->boolean("mail_debug"));
    settings = override_settings(settings, line);
    if (!line.user && ::geteuid() == 0) return fatal(EX_USAGE, "destination user parameter (-d user) not given");
    if (!line.user && named.empty())
        return fatal(EX_TEMPFAIL, "Couldn't find out the user: neither $USER nor /etc/passwd has a name");
    auto recipient = find_recipient(line, settings, session);
    if (!recipient) return fatal(EX_TEMPFAIL, "User lookup failed: " + recipient.error().detail);
    if (!*recipient) return EX_NOUSER;
    set_log_prefix(delivery_log_prefix(*settings, "lda", (*recipient)->identity.username, session));
    if (Status status = become_recipient(**recipient); !status) return fatal(EX_TEMPFAIL, status.error().detail);
    auto input = open_input(line.path);
    if (!input) return fatal(EX_TEMPFAIL, input.error().detail);
    return deliver_as(**recipient, line, session, input->get());
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    ::umask(0022);  // the mode of each file is given where it is made; pipe(8) starts us with 077
    const auto line = parse_lda_command_line(argc, argv);
    if (!line || !line->extra.empty()) {
        if (line) early_fatal(0, "Unknown argument: " + line->extra);
        print_lda_usage();
        return EX_USAGE;
    }
    return run(*line);
}
