// From trees to what one connection sees: defaults, then what stands outside filters, then each filter that matches.
#include <algorithm>

#include "lib-base/assert.h"
#include "lib-config/tree.h"
#include "lib-config/value.h"

namespace culver::config {

void merge_block(Block& onto, const Block& from) {
    for (const auto& [row, value] : from.values) onto.set(row) = value;
    for (const auto& [key, value] : from.free) onto.set_free(key) = value;
    if (from.place.file != 0 && onto.place.file == 0) onto.place = from.place;
    onto.is_default = onto.is_default || from.is_default;
    for (const auto& child : from.blocks) {
        bool meets = !child->name.empty() || block_spec(child->kind).free_keys;
        bool adds = child->kind == BlockKind::PassDb || child->kind == BlockKind::UserDb || !meets;
        Block* known = adds ? nullptr : onto.find_block(child->kind, child->name);
        if (known == nullptr) known = &onto.add_block(child->kind, child->name, child->place);
        merge_block(*known, *child);
    }
}

std::unique_ptr<Block> merge_scopes(const Config& config, const std::vector<std::uint16_t>& scopes) {
    auto merged = std::make_unique<Block>(BlockKind::Root);
    merge_block(*merged, config.scopes[0]->root);
    for (auto index : scopes) {
        const Block& root = config.scopes[index]->root;
        auto before = merged->blocks.size();
        merge_block(*merged, root);
        // Databases of a filter are asked before those outside it.
        std::ranges::stable_partition(merged->blocks, [&](const std::unique_ptr<Block>& block) {
            bool is_new = &block - merged->blocks.data() >= static_cast<std::ptrdiff_t>(before);
            return is_new && (block->kind == BlockKind::PassDb || block->kind == BlockKind::UserDb);
        });
    }
    return merged;
}

namespace {

// Every scalar at its built-in default, converted once.
const std::vector<Value>& default_scalars() {
    static const std::vector<Value> defaults = [] {
        std::vector<Value> made;
        for (const auto& spec : block_spec(BlockKind::Root).settings) {
            auto typed = parse_value(spec, spec.default_value);
            ASSERT(typed);
            Value value;
            value.text = std::move(typed->text);
            value.number = typed->number;
            made.push_back(std::move(value));
        }
        return made;
    }();
    return defaults;
}

// Reads the values of one block by name, defaults of the table included.
class Reader {
public:
    Reader(const Config& config, const View& view, const Block& block) : config_(config), view_(view), block_(block) {}

    std::string text(std::string_view name) const {
        auto row = require(name);
        const Value* value = block_.find(row);
        return value != nullptr ? value->text : std::string(block_spec(block_.kind).settings[row].default_value);
    }
    std::uint64_t number(std::string_view name) const {
        auto row = require(name);
        if (const Value* value = block_.find(row)) return value->number;
        const auto& spec = block_spec(block_.kind).settings[row];
        return parse_value(spec, spec.default_value)->number;
    }
    bool flag(std::string_view name) const { return number(name) != 0; }
    // "$default_internal_user" and the like, resolved.
    std::string account(std::string_view name) const {
        std::string value = text(name);
        if (!value.starts_with("$")) return value;
        auto row = find_setting(BlockKind::Root, std::string_view(value).substr(1));
        return row ? view_.scalars[*row].text : value;
    }
    SettingOrigin origin() const { return config_.origin(block_.place); }

private:
    std::uint16_t require(std::string_view name) const {
        auto row = find_setting(block_.kind, name);
        ASSERT(row);
        return *row;
    }
    const Config& config_;
    const View& view_;
    const Block& block_;
};

std::uint64_t root_number(const View& view, std::string_view name) {
    return view.scalars[*find_setting(BlockKind::Root, name)].number;
}

void read_passdb(const Reader& in, PassDbSettings& out) {
    out.name = in.text("name");
    out.driver = in.text("driver");
    out.args = in.text("args");
    out.default_fields = in.text("default_fields");
    out.override_fields = in.text("override_fields");
    out.mechanisms = in.text("mechanisms");
    out.username_filter = in.text("username_filter");
    out.skip = in.text("skip");
    out.result_success = in.text("result_success");
    out.result_failure = in.text("result_failure");
    out.result_internalfail = in.text("result_internalfail");
    out.deny = in.flag("deny");
    out.pass = in.flag("pass");
    out.master = in.flag("master");
    out.auth_verbose = in.text("auth_verbose");
    out.origin = in.origin();
}

void read_userdb(const Reader& in, UserDbSettings& out) {
    out.name = in.text("name");
    out.driver = in.text("driver");
    out.args = in.text("args");
    out.default_fields = in.text("default_fields");
    out.override_fields = in.text("override_fields");
    out.skip = in.text("skip");
    out.result_success = in.text("result_success");
    out.result_failure = in.text("result_failure");
    out.result_internalfail = in.text("result_internalfail");
    out.auth_verbose = in.text("auth_verbose");
    out.origin = in.origin();
}

void read_namespace(const Config& config, const View& view, const Block& block, NamespaceSettings& out) {
    Reader in(config, view, block);
    out.name = block.name;
    out.type = in.text("type");
    out.separator = in.text("separator");
    out.prefix = in.text("prefix");
    out.location = in.text("location");
    out.alias_for = in.text("alias_for");
    out.list = in.text("list");
    out.inbox = in.flag("inbox");
    out.hidden = in.flag("hidden");
    out.subscriptions = in.flag("subscriptions");
    out.ignore_on_failure = in.flag("ignore_on_failure");
    out.disabled = in.flag("disabled");
    out.order = static_cast<std::uint32_t>(in.number("order"));
    out.origin = in.origin();
    for (const auto& child : block.blocks) {
        Reader mailbox(config, view, *child);
        out.mailboxes.push_back({child->name, mailbox.text("auto"), mailbox.text("special_use"),
                                 mailbox.text("comment"), mailbox.text("driver")});
    }
}

ListenerSettings read_listener(const Reader& in, const Block& block) {
    ListenerSettings out;
    out.name = block.name;
    out.origin = in.origin();
    if (block.kind == BlockKind::InetListener) {
        out.kind = ListenerKind::Inet;
        out.address = in.text("address");
        out.port = static_cast<std::uint16_t>(in.number("port"));
        out.ssl = in.flag("ssl");
        out.reuse_port = in.flag("reuse_port");
        out.haproxy = in.flag("haproxy");
        return out;
    }
    out.kind = block.kind == BlockKind::UnixListener ? ListenerKind::Unix : ListenerKind::Fifo;
    out.mode = static_cast<unsigned>(in.number("mode"));
    out.user = in.account("user");
    out.group = in.account("group");
    return out;
}

void read_service(const Config& config, const View& view, const Block& block, ServiceSettings& out) {
    Reader in(config, view, block);
    auto or_default = [&](std::string_view name, std::string_view fallback) {
        std::uint64_t value = in.number(name);
        return static_cast<std::uint32_t>(value != 0 ? value : root_number(view, fallback));
    };
    out.name = block.name;
    out.protocol = in.text("protocol");
    out.type = in.text("type");
    out.executable = in.text("executable");
    out.user = in.account("user");
    out.group = in.account("group");
    out.privileged_group = in.account("privileged_group");
    out.extra_groups = in.account("extra_groups");
    out.chroot = in.text("chroot");
    out.drop_priv_before_exec = in.flag("drop_priv_before_exec");
    out.process_min_avail = static_cast<std::uint32_t>(in.number("process_min_avail"));
    out.process_limit = or_default("process_limit", "default_process_limit");
    out.client_limit = or_default("client_limit", "default_client_limit");
    out.service_count = static_cast<std::uint32_t>(in.number("service_count"));
    out.vsz_limit = in.number("vsz_limit");
    if (out.vsz_limit == UINT64_MAX) out.vsz_limit = root_number(view, "default_vsz_limit");
    std::uint64_t idle = in.number("idle_kill");
    out.idle_kill = std::chrono::seconds((idle != 0 ? idle : root_number(view, "default_idle_kill")) / 1000);
    out.origin = in.origin();
    for (const auto& child : block.blocks) out.listeners.push_back(read_listener(Reader(config, view, *child), *child));
}

// Blocks of one kind from all scopes; only the blocks' own two levels are walked.
std::vector<std::unique_ptr<Block>> merged_blocks(const Config& config, const std::vector<std::uint16_t>& scopes,
                                                  BlockKind kind) {
    Block all(BlockKind::Root);
    auto add_from = [&](const Block& root) {
        for (const auto& block : root.blocks) {
            if (block->kind != kind) continue;
            Block* known = block->name.empty() ? nullptr : all.find_block(kind, block->name);
            merge_block(known != nullptr ? *known : all.add_block(kind, block->name, block->place), *block);
        }
    };
    add_from(config.scopes[0]->root);
    for (auto index : scopes) add_from(config.scopes[index]->root);
    return std::move(all.blocks);
}

// passdb and userdb: those of the most specific filter are asked first, those outside filters last.
template <typename Out, typename Read>
void collect_databases(const Config& config, const View& view, const std::vector<std::uint16_t>& scopes, BlockKind kind,
                       std::vector<Out>& out, Read read) {
    auto add_from = [&](const Block& root) {
        for (const auto& block : root.blocks)
            if (block->kind == kind) read(Reader(config, view, *block), out.emplace_back());
    };
    for (auto index = scopes.rbegin(); index != scopes.rend(); ++index) add_from(config.scopes[*index]->root);
    add_from(config.scopes[0]->root);
}

void apply_scalars(View& view, const Block& root) {
    for (const auto& [row, value] : root.values) view.scalars[row] = value;
    for (const auto& block : root.blocks) {
        if (block->kind != BlockKind::Plugin) continue;
        for (const auto& [key, value] : block->free) {
            auto known = std::ranges::find(view.plugin, key, &std::pair<std::string, Value>::first);
            if (known != view.plugin.end()) known->second = value;
            else view.plugin.emplace_back(key, value);
        }
    }
}

}  // namespace

std::shared_ptr<const View> resolve_view(const Config& config, const std::vector<std::uint16_t>& scopes) {
    auto view = std::make_shared<View>();
    view->scalars = default_scalars();
    apply_scalars(*view, config.scopes[0]->root);
    for (auto index : scopes) apply_scalars(*view, config.scopes[index]->root);
    collect_databases(config, *view, scopes, BlockKind::PassDb, view->passdbs, read_passdb);
    collect_databases(config, *view, scopes, BlockKind::UserDb, view->userdbs, read_userdb);
    for (const auto& block : merged_blocks(config, scopes, BlockKind::Namespace))
        read_namespace(config, *view, *block, view->namespaces.emplace_back());
    for (const auto& block : merged_blocks(config, scopes, BlockKind::Service))
        read_service(config, *view, *block, view->services.emplace_back());
    return view;
}

}  // namespace culver::config
