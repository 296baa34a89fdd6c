// Settings as bytes, for handing them from the master to its services on a memfd. Both ends are the same build; the
// version in the first bytes only guards against a mix-up during an upgrade.
//
//   string   u32 length, bytes       all numbers little-endian
//   value    string text, string written, u64 number, u32 file, u32 line, u8 is_set
//   block    u8 kind, string name, u32 file, u32 line, u8 is_default, u32 n (u16 row, value)*, u32 n (string, value)*,
//            u32 n block*            (at most kDepth blocks deep)
//   config   "CULVER-SETTINGS 1 " and the table's fingerprint, LF, string path, u32 n string* (files), u32 n scope*
//   scope    string protocol, local_name, local, remote, u32 file, u32 line, block
#include <fmt/format.h>

#include <cstring>

#include "lib-config/settings-data.h"

namespace culver::config {

namespace {

// Values go by the row of their setting, so both ends must know the same settings in the same order: after an upgrade a
// new service beside the old master would read one setting's value as another's.
const std::string& magic() {
    static const std::string text = [] {
        std::uint64_t hash = 14695981039346656037u;  // FNV-1a
        auto mix = [&](std::string_view name) {
            for (unsigned char c : name) hash = (hash ^ c) * 1099511628211u;
            hash = (hash ^ 0xff) * 1099511628211u;
        };
        for (std::size_t kind = 0; kind < kBlockKinds; ++kind) {
            for (const SettingSpec& spec : block_spec(static_cast<BlockKind>(kind)).settings) mix(spec.name);
            mix({});
        }
        return fmt::format("CULVER-SETTINGS 1 {:016x}\n", hash);
    }();
    return text;
}
constexpr unsigned kDepth = 4;

class Writer {
public:
    explicit Writer(Secrets secrets) : secrets_(secrets) { out_.reserve(32768); }

    void bytes(std::string_view raw) { out_ += raw; }
    template <typename Number>
    void number(Number value) {
        out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void text(std::string_view value) {
        number(static_cast<std::uint32_t>(value.size()));
        out_ += value;
    }
    void place(Place where) {
        number(where.file);
        number(where.line);
    }
    void value(const Value& each, bool hide) {
        text(hide ? std::string_view() : each.text);
        text(hide ? std::string_view() : each.written);
        number(each.number);
        place(each.place);
        number(static_cast<std::uint8_t>(each.is_set));
    }
    void networks(const std::vector<IpNetwork>& list) {
        number(static_cast<std::uint32_t>(list.size()));
        for (const auto& network : list) {
            text(network.address.to_string());
            number(static_cast<std::uint32_t>(network.prefix_length));
        }
    }
    // Depth is that of the block table, never of the input.
    void block(const Block& each) {
        number(static_cast<std::uint8_t>(each.kind));
        text(each.name);
        place(each.place);
        number(static_cast<std::uint8_t>(each.is_default));
        number(static_cast<std::uint32_t>(each.values.size()));
        for (const auto& [row, stored] : each.values) {
            number(row);
            const SettingSpec& spec = block_spec(each.kind).settings[row];
            bool is_kept = secrets_ == Secrets::Keep || (secrets_ == Secrets::OnlyOfAuth && spec.area == Area::Auth);
            value(stored, spec.secret && !is_kept);
        }
        number(static_cast<std::uint32_t>(each.free.size()));
        for (const auto& [key, stored] : each.free) {
            text(key);
            value(stored, false);
        }
        number(static_cast<std::uint32_t>(each.blocks.size()));
        for (const auto& child : each.blocks) block(*child);
    }
    std::string take() { return std::move(out_); }

private:
    Secrets secrets_;
    std::string out_;
};

// Keeps its first failure; everything read after it is empty.
class Reader {
public:
    explicit Reader(std::string_view in) : in_(in) {}

    bool failed() const { return failed_; }
    bool at_end() const { return in_.empty(); }
    void expect(std::string_view magic) {
        if (!in_.starts_with(magic)) failed_ = true;
        else in_.remove_prefix(magic.size());
    }
    template <typename Number>
    Number number() {
        Number value = 0;
        if (failed_ || in_.size() < sizeof value) {
            failed_ = true;
            return 0;
        }
        std::memcpy(&value, in_.data(), sizeof value);
        in_.remove_prefix(sizeof value);
        return value;
    }
    std::string text() {
        auto length = number<std::uint32_t>();
        if (failed_ || in_.size() < length) {
            failed_ = true;
            return {};
        }
        std::string value(in_.substr(0, length));
        in_.remove_prefix(length);
        return value;
    }
    // A count of things that take at least a byte each.
    std::uint32_t count() {
        auto value = number<std::uint32_t>();
        if (value > in_.size()) failed_ = true;
        return failed_ ? 0 : value;
    }
    Place place() {
        auto file = number<std::uint32_t>();
        auto line = number<std::uint32_t>();
        if (file >= files_) failed_ = true;
        return failed_ ? Place() : Place{file, line};
    }
    void set_files(std::size_t files) { files_ = files; }
    Value value() {
        Value out;
        out.text = text();
        out.written = text();
        out.number = number<std::uint64_t>();
        out.place = place();
        out.is_set = number<std::uint8_t>() != 0;
        return out;
    }
    std::vector<IpNetwork> networks() {
        std::vector<IpNetwork> list;
        for (auto left = count(); left > 0 && !failed_; --left) {
            auto address = IpAddress::parse(text());
            auto length = number<std::uint32_t>();
            if (!address || length > 128) failed_ = true;
            else list.push_back({*address, length});
        }
        return list;
    }
    void block(Block& out, unsigned depth) {
        auto kind = number<std::uint8_t>();
        if (kind >= kBlockKinds || depth > kDepth) failed_ = true;
        if (failed_) return;
        out.kind = static_cast<BlockKind>(kind);
        out.name = text();
        out.place = place();
        out.is_default = number<std::uint8_t>() != 0;
        for (auto left = count(); left > 0 && !failed_; --left) {
            auto row = number<std::uint16_t>();
            if (row >= block_spec(out.kind).settings.size()) failed_ = true;
            out.values.emplace_back(row, value());
        }
        for (auto left = count(); left > 0 && !failed_; --left) {
            std::string key = text();
            out.free.emplace_back(std::move(key), value());
        }
        for (auto left = count(); left > 0 && !failed_; --left)
            block(out.add_block(BlockKind::Root, {}, {}), depth + 1);
    }

private:
    std::string_view in_;
    std::size_t files_ = 0;
    bool failed_ = false;
};

}  // namespace

std::string serialize_config(const Config& config, Secrets secrets) {
    Writer out(secrets);
    out.bytes(magic());
    out.text(config.path);
    out.number(static_cast<std::uint32_t>(config.files.size()));
    for (const auto& file : config.files) out.text(file);
    out.number(static_cast<std::uint32_t>(config.scopes.size()));
    for (const auto& scope : config.scopes) {
        out.text(scope->condition.protocol);
        out.text(scope->condition.local_name);
        out.text(scope->condition.local_text);
        out.text(scope->condition.remote_text);
        out.networks(scope->condition.local);
        out.networks(scope->condition.remote);
        out.place(scope->place);
        out.block(scope->root);
    }
    return out.take();
}

Result<std::shared_ptr<Config>> deserialize_config(std::string_view bytes) {
    Reader in(bytes);
    auto config = std::make_shared<Config>();
    in.expect(magic());
    config->path = in.text();
    config->files.clear();
    for (auto left = in.count(); left > 0 && !in.failed(); --left) config->files.push_back(in.text());
    in.set_files(config->files.size());
    for (auto left = in.count(); left > 0 && !in.failed(); --left) {
        config->scopes.push_back(std::make_unique<Scope>());
        Scope& scope = *config->scopes.back();
        scope.condition.protocol = in.text();
        scope.condition.local_name = in.text();
        scope.condition.local_text = in.text();
        scope.condition.remote_text = in.text();
        scope.condition.local = in.networks();
        scope.condition.remote = in.networks();
        scope.place = in.place();
        in.block(scope.root, 0);
        if (scope.root.kind != BlockKind::Root)
            return fail(ErrorCode::Corrupt, "settings: a scope without a root block");
    }
    if (in.failed() || !in.at_end() || config->scopes.empty() || config->files.empty())
        return fail(ErrorCode::Corrupt,
                    "settings handed over by another version of Culver, or damaged: restart the server");
    return config;
}

}  // namespace culver::config
