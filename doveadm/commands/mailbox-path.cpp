// doveadm mailbox path [-t <type>] <mailbox>: the directory of a mailbox.
#include "doveadm/commands.h"
#include "doveadm/mailbox-arguments.h"
#include "lib-storage/mail-user.h"

namespace culver::doveadm {

namespace {

int prepare(Invocation& call) {
    const std::string type = call.option('t').value_or("index");
    if (call.arguments().size() != 1 || (type != "dir" && type != "control" && type != "index")) return call.usage();
    call.out().columns({{"path", "", Column::Align::Left, Column::Title::Hidden}});
    return check_arguments_utf8(call);
}

int run(Invocation& call, MailUser& user) {
    const std::string type = call.option('t').value_or("index");
    const auto name = MailboxName::parse(call.arguments()[0]);
    const auto paths = name ? user.paths(*name) : Result<MailboxPaths>(std::unexpected(name.error()));
    if (!paths) return call.report(paths.error(), "Mailbox " + call.arguments()[0]);
    const std::string& path = type == "dir" ? paths->mail : type == "control" ? paths->control : paths->index;
    if (!path.empty()) call.out().row({path});
    return kExitOk;
}

}  // namespace

const CommandSpec kMailboxPath = {
    .words = "mailbox path",
    .synopsis = "[-t <type>] <mailbox>",
    .help = "Prints the directory in which a mailbox lies, or would lie.",
    .options = {{'t', "type", "dir: the messages; control: the uidlist; index: the index (default)"}},
    .prepare = prepare,
    .run_for_user = run,
};

}  // namespace culver::doveadm
