// FETCH and UID FETCH. RFC 9051 §6.4.5; CHANGEDSINCE and MODSEQ by RFC 7162, SAVEDATE by RFC 8514.
//
// Items of the index come first, then those of the message in the order of the request. A message that is read becomes
// \Seen: its flags are in the same response, the change itself is made once, after the last message.
#include <algorithm>
#include <utility>

#include "imapd/commands.h"
#include "imapd/commands/fetch-request.h"
#include "imapd/session.h"
#include "lib-imap/body-structure.h"
#include "lib-imap/envelope.h"
#include "lib-imap/parser.h"
#include "lib-imap/writer.h"
#include "lib-mail/line-endings.h"
#include "lib-mail/local-zone.h"
#include "lib-storage/search/message-source.h"

namespace culver {
namespace {

// Messages looked at under one lock of the mailbox.
constexpr std::size_t kBatch = 1000;
// Bytes converted to CRLF at a time.
constexpr std::size_t kPiece = 64 * 1024;

// Writes the responses of one FETCH.
class FetchWriter {
public:
    FetchWriter(Session& session, const FetchRequest& request)
        : session_(session),
          request_(request),
          out_(session.out()),
          marks_seen_(request.sets_seen && !session.is_read_only()),
          shows_flags_(request.has(IndexItem::Flags)) {}

    // One response line. An error before anything of it was sent takes the line back.
    Status message(Seq seq, MessageInfo info) {
        const std::size_t begin = out_.size();
        const bool becomes_seen = marks_seen_ && !(info.flags.system & kSeen);
        if (becomes_seen) info.flags.system |= kSeen;
        MessageSource source(session_.mailbox(), info.uid);
        out_.append("* ");
        append_number(out_, seq.value);
        out_.append(" FETCH (");
        item_begin_ = out_.size();
        Status status;
        for (const IndexItem item : request_.index_items)
            if (status) status = index_item(item, info, source);
        if (becomes_seen && !shows_flags_ && status) status = index_item(IndexItem::Flags, info, source);
        for (const MessageItem& item : request_.message_items)
            if (status) status = message_item(item, source);
        if (!status) {
            if (out_.size() >= begin) out_.resize(begin);
            return status;
        }
        out_.append(")\r\n");
        if (becomes_seen) seen_.push_back(info.uid);
        session_.flush_if_large();
        return {};
    }

    const std::vector<Uid>& seen() const { return seen_; }

private:
    void blank() {
        if (out_.size() != item_begin_) out_ += ' ';
    }

    Status index_item(IndexItem item, const MessageInfo& info, MessageSource& source) {
        blank();
        switch (item) {
            case IndexItem::Uid:
                out_.append("UID ");
                append_number(out_, info.uid.value);
                break;
            case IndexItem::Flags:
                out_.append("FLAGS ");
                session_.append_flags(out_, info);
                break;
            case IndexItem::InternalDate:
                out_.append("INTERNALDATE ");
                append_date_time(out_, info.internal_date, zone_.offset_minutes(info.internal_date));
                break;
            case IndexItem::Size:
                out_.append("RFC822.SIZE ");
                append_number(
                    out_, info.virtual_size > 0 ? info.virtual_size : TRY(session_.mailbox().virtual_size(info.uid)));
                break;
            case IndexItem::ModSeq:
                out_.append("MODSEQ (");
                append_number(out_, info.modseq.value);
                out_ += ')';
                break;
            case IndexItem::Guid:
                out_.append("X-GUID ");
                append_astring(out_, TRY(source.mailbox().message_guid(info.uid)));
                break;
            case IndexItem::SaveDate:
                out_.append("SAVEDATE ");
                append_date_time(out_, info.save_date, zone_.offset_minutes(info.save_date));
                break;
        }
        return {};
    }

    Status message_item(const MessageItem& item, MessageSource& source) {
        blank();
        switch (item.kind) {
            case MessageItem::Kind::Envelope:
                out_.append("ENVELOPE ");
                return cached(source, CacheField::Envelope, [&](std::string& text) -> Status {
                    append_envelope(text, TRY(source.header()));
                    return {};
                });
            case MessageItem::Kind::Body:
                out_.append("BODY ");
                return structure(source, CacheField::Body, BodyForm::Plain);
            case MessageItem::Kind::BodyStructure:
                out_.append("BODYSTRUCTURE ");
                return structure(source, CacheField::BodyStructure, BodyForm::Extended);
            case MessageItem::Kind::Section: return section(item.section, source);
        }
        return {};
    }

    Status structure(MessageSource& source, CacheField field, BodyForm form) {
        return cached(source, field, [&](std::string& text) -> Status {
            append_body_structure(text, TRY(source.bytes()), *TRY(source.structure()), form);
            return {};
        });
    }

    // The cached text of an item, or what `make` writes, which is cached then.
    template <class Make>
    Status cached(MessageSource& source, CacheField field, Make make) {
        if (source.mailbox().cached(source.uid(), field, [&](std::string_view text) { out_.append(text); })) return {};
        std::string text;
        TRY(make(text));
        source.mailbox().cache(source.uid(), field, text);
        out_.append(text);
        return {};
    }

    Status section(const BodySection& section, MessageSource& source) {
        using What = BodySection::What;
        const bool filtered = section.what == What::HeaderFields || section.what == What::HeaderFieldsNot;
        const bool whole = section.part.empty();
        if (filtered && whole && section.what == What::HeaderFields && all_cached(section))
            return literal(section, filter_header(TRY(source.common_fields()), section), std::nullopt);
        const std::string_view message = TRY(source.bytes());
        if (whole && section.what != What::Text && section.what != What::All) {
            const std::string_view header = TRY(source.header());
            if (filtered) return literal(section, filter_header(header, section), std::nullopt);
            return literal(section, header, std::nullopt);
        }
        if (whole && section.what == What::All) return literal(section, message, std::nullopt);
        if (whole) return literal(section, message.substr(TRY(source.header()).size()), std::nullopt);
        const SectionRange range = find_section(*TRY(source.structure()), section);
        if (!range.found) return literal(section, {}, std::nullopt);
        if (filtered) return literal(section, filter_header(range.of(message), section), std::nullopt);
        return literal(section, range.of(message), range.size + range.bare);
    }

    static bool all_cached(const BodySection& section) {
        return std::all_of(section.fields.begin(), section.fields.end(), MessageSource::is_cached_field);
    }

    // `stored` in its CRLF form, or the part of it that the section's partial names. NUL must not go to a client
    // (RFC 3501 §4.3): it is sent as 0x80, as Dovecot does.
    Status literal(const BodySection& section, std::string_view stored, std::optional<std::uint64_t> known_size) {
        std::uint64_t size = known_size ? *known_size : virtual_size(stored);
        const bool as_stored = size == stored.size() && stored.find('\0') == std::string_view::npos;
        std::uint64_t from = 0;
        if (section.partial) {
            from = std::min(section.partial->from, size);
            size = std::min(size - from, section.partial->count.value_or(UINT64_MAX));
        }
        out_.append(section.label);
        out_.append(" {");
        append_number(out_, size);
        out_.append("}\r\n");
        count(section, size);
        if (as_stored && size > kPiece) {
            session_.write_through(stored.substr(from, size));
            return {};
        }
        CrlfReader reader(stored);
        reader.skip(from);
        while (size > 0 && !session_.is_gone()) {
            const std::size_t begin = out_.size();
            const std::size_t taken = reader.read(out_, std::min<std::uint64_t>(size, kPiece));
            std::replace(out_.begin() + static_cast<std::ptrdiff_t>(begin), out_.end(), '\0', '\x80');
            size -= taken;
            if (taken == 0) break;
            if (size > 0) session_.flush_if_large();
        }
        return {};
    }

    void count(const BodySection& section, std::uint64_t size) {
        SessionStats& stats = session_.stats();
        const bool body = section.what == BodySection::What::All || section.what == BodySection::What::Text;
        ++(body ? stats.fetch_body_count : stats.fetch_hdr_count);
        (body ? stats.fetch_body_bytes : stats.fetch_hdr_bytes) += size;
    }

    Session& session_;
    const FetchRequest& request_;
    std::string& out_;
    LocalZone zone_;
    const bool marks_seen_;
    const bool shows_flags_;  // else only for messages that become \Seen
    std::size_t item_begin_ = 0;
    std::vector<Uid> seen_;
};

class Fetch : public Command {
public:
    explicit Fetch(Numbers numbers) : numbers_(numbers) {}

    void parse(Parser& in) override { request_ = parse_fetch(in, numbers_ == Numbers::Uids); }

    Reply run(Session& session) override {
        const auto uids = session.messages_of(request_.messages, numbers_);
        if (!uids) return Reply::invalid("Invalid messageset");
        if (request_.has(IndexItem::ModSeq)) session.enable_condstore();
        session.announce_keywords();
        FetchWriter writer(session, request_);
        const Status status = write_all(session, *uids, writer);
        TRY_REPLY(mark_seen(session, writer.seen()));
        if (!status && status.error().code != ErrorCode::NotFound) return Reply::from(status.error());
        if (!status) return Reply::no("EXPUNGEISSUED", "Some of the requested messages no longer exist.");
        return Reply::ok("Fetch completed.");
    }

private:
    // All messages that can be read; the first error of the others is the result.
    Status write_all(Session& session, std::span<const Uid> uids, FetchWriter& writer) {
        Status result;
        std::vector<std::pair<Seq, MessageInfo>> batch;
        for (std::size_t at = 0; at < uids.size() && !session.is_gone(); at += kBatch) {
            const auto some = uids.subspan(at, std::min(kBatch, uids.size() - at));
            batch.clear();
            session.view().visit(some, [&](Seq seq, const MessageInfo& info) { batch.emplace_back(seq, info); });
            if (batch.size() < some.size() && result) result = fail(ErrorCode::NotFound, "a message was expunged");
            for (const auto& [seq, info] : batch) {
                if (session.is_gone()) break;
                if (request_.changed_since && info.modseq.value <= *request_.changed_since) continue;
                const Status status = writer.message(seq, info);
                if (!status && result) result = status;
            }
        }
        return result;
    }

    // Makes \Seen true, and tells CONDSTORE clients the new modseq (RFC 7162 §3.1).
    Status mark_seen(Session& session, const std::vector<Uid>& seen) {
        if (seen.empty()) return {};
        const StoreChange change{FlagOperation::Add, kSeen, {}, std::nullopt};
        const StoreResult result = TRY(session.mailbox().store(seen, change));
        session.view().mark_told(result.changed, result.modseq);
        if (!session.has_condstore()) return {};
        std::string& out = session.out();
        session.view().visit(result.changed, [&](Seq seq, const MessageInfo& info) {
            out.append("* ");
            append_number(out, seq.value);
            out.append(numbers_ == Numbers::Uids ? " FETCH (UID " : " FETCH (");
            if (numbers_ == Numbers::Uids) {
                append_number(out, info.uid.value);
                out += ' ';
            }
            out.append("MODSEQ (");
            append_number(out, info.modseq.value);
            out.append("))\r\n");
        });
        session.flush_if_large();
        return {};
    }

    const Numbers numbers_;
    FetchRequest request_;
};

class FetchBySeq final : public Fetch {
public:
    FetchBySeq() : Fetch(Numbers::Seqs) {}
};
class FetchByUid final : public Fetch {
public:
    FetchByUid() : Fetch(Numbers::Uids) {}
};

}  // namespace

const CommandSpec kFetch = {"FETCH", States::Selected, Effects::Syncs | Effects::UsesSeqs | Effects::HoldsExpunges,
                            make_command<FetchBySeq>};
const CommandSpec kUidFetch = {"UID FETCH", States::Selected, Effects::Syncs, make_command<FetchByUid>};

}  // namespace culver
