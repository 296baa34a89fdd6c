// ID: client and server tell each other what they are. RFC 2971.
#include "imapd/commands.h"
#include "imapd/session.h"
#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-imap/parser.h"
#include "lib-imap/writer.h"

namespace culver {
namespace {

// Dovecot takes anything here; so many pairs are looked at for the log, of so many bytes each.
constexpr std::size_t kPairLimit = 30, kValueLimit = 1024;

class Id final : public Command {
public:
    void parse(Parser& in) override {
        if (!in.next_is_list()) return;
        in.open_list();
        while (in.more() && pairs_.size() < kPairLimit) {
            if (in.next_is_list()) break;
            std::string key = in.astring();
            std::optional<std::string> value;
            if (in.more() && !in.next_is_list())
                value = in.peek() == Parser::Token::Atom ? std::string(in.atom()) : in.nstring();
            if (value && value->size() <= kValueLimit) pairs_.emplace_back(std::move(key), std::move(*value));
        }
        while (in.more()) in.skip();
        in.close_list();
    }

    Reply run(Session& session) override {
        log_client(session.settings());
        session.untagged("ID " + server_id(session.settings()));
        return Reply::ok("ID completed.");
    }

private:
    // imap_id_log: "*" or the names of the fields to log.
    void log_client(const Settings& settings) const {
        const auto wanted = settings.words("imap_id_log");
        if (wanted.empty()) return;
        std::string line;
        for (const auto& [key, value] : pairs_) {
            for (const std::string& word : wanted) {
                if (word != "*" && !equals_ignore_case(word, key)) continue;
                line += (line.empty() ? "ID sent: " : ", ") + key + "=" + value;
                break;
            }
        }
        if (!line.empty()) log_info(line);
    }

    // imap_id_send: pairs of words; "*" as a value is our own.
    static std::string server_id(const Settings& settings) {
        const auto words = settings.words("imap_id_send");
        std::string text;
        for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
            std::string value = words[i + 1];
            if (value == "*" && equals_ignore_case(words[i], "name"))
                value = "Dovecot";  // what clients know how to treat
            else if (value == "*") continue;
            text.append(text.empty() ? "(" : " ");
            append_quoted(text, words[i]);
            text.push_back(' ');
            append_quoted(text, value);
        }
        return text.empty() ? "NIL" : text + ")";
    }

    std::vector<std::pair<std::string, std::string>> pairs_;
};

}  // namespace

const CommandSpec kId = {"ID", States::Any, Effects::None, make_command<Id>};

}  // namespace culver
