// NAMESPACE: prefixes and separators. RFC 2342.
#include "imapd/commands.h"
#include "imapd/session.h"
#include "lib-imap/writer.h"

namespace culver {
namespace {

class NamespaceCommand final : public Command {
public:
    void parse(Parser&) override {}
    Reply run(Session& session) override {
        const auto& spaces = session.user().namespaces();
        std::string line = "NAMESPACE";
        for (std::string_view type : {"private", "shared", "public"}) line += " " + list_of(spaces, type);
        session.untagged(line);
        return Reply::ok("Namespace completed.");
    }

private:
    static std::string list_of(const std::vector<Namespace>& spaces, std::string_view type) {
        std::string text;
        for (const Namespace& space : spaces) {
            if (space.type != type || space.hidden) continue;
            text += text.empty() ? "((" : "(";
            std::string prefix;
            append_mailbox(prefix, space.prefix);
            text += prefix.starts_with('"') ? prefix : "\"" + prefix + "\"";
            text += " ";
            append_quoted(text, std::string(1, space.separator));
            text += ")";
        }
        return text.empty() ? "NIL" : text + ")";
    }
};

}  // namespace

const CommandSpec kNamespace = {"NAMESPACE", States::Authenticated, Effects::IgnoresArguments,
                                make_command<NamespaceCommand>};

}  // namespace culver
