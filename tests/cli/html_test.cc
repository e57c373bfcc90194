// inspect --html: the layout, and the page in a real browser.
#include <map>

#include "program.h"
#include "tests/onnx/model_maker.h"
#include "tools/graph_layout.h"
#include "tools/html_page.h"

namespace mini_infer::tools {
namespace {

using testing::HasSubstr;
using testing::Not;

// --- layout

using Edges = std::vector<std::pair<int, int>>;

void expect_good(const GraphLayout& layout, const std::vector<double>& widths, const Edges& edges) {
  for (std::size_t a = 0; a < widths.size(); ++a) {
    EXPECT_GE(layout.nodes[a].x - widths[a] / 2, 0);
    EXPECT_LE(layout.nodes[a].x + widths[a] / 2, layout.width);
    EXPECT_GE(layout.nodes[a].y - kNodeHeight / 2, 0);
    EXPECT_LE(layout.nodes[a].y + kNodeHeight / 2, layout.height);
    for (std::size_t b = 0; b < a; ++b) {
      if (layout.layers[a] != layout.layers[b]) continue;
      EXPECT_GT(std::abs(layout.nodes[a].x - layout.nodes[b].x), (widths[a] + widths[b]) / 2)
          << a << " and " << b << " overlap";
    }
  }
  for (std::size_t e = 0; e < edges.size(); ++e) {
    EXPECT_LT(layout.layers[static_cast<std::size_t>(edges[e].first)],
              layout.layers[static_cast<std::size_t>(edges[e].second)]);
    for (std::size_t i = 1; i < layout.edges[e].size(); ++i)
      EXPECT_LT(layout.edges[e][i - 1].y, layout.edges[e][i].y) << "edges run downwards";
  }
}

TEST(GraphLayout, PutsAChainBelowEachOther) {
  const std::vector<double> widths = {80, 120, 60};
  const Edges edges = {{0, 1}, {1, 2}};
  const GraphLayout layout = lay_out(widths, edges);
  expect_good(layout, widths, edges);
  EXPECT_DOUBLE_EQ(layout.nodes[0].x, layout.nodes[1].x);
  EXPECT_DOUBLE_EQ(layout.nodes[1].x, layout.nodes[2].x);
}

TEST(GraphLayout, UncrossesTwoLines) {
  // 0 -> 3, 1 -> 2: in the order of numbers they would cross.
  const std::vector<double> widths(4, 50);
  const Edges edges = {{0, 3}, {1, 2}};
  const GraphLayout layout = lay_out(widths, edges);
  expect_good(layout, widths, edges);
  EXPECT_EQ(layout.nodes[0].x < layout.nodes[1].x, layout.nodes[3].x < layout.nodes[2].x);
}

TEST(GraphLayout, LeadsLongEdgesAroundNodes) {
  const std::vector<double> widths(4, 100);
  const Edges edges = {{0, 1}, {1, 2}, {2, 3}, {0, 3}};
  const GraphLayout layout = lay_out(widths, edges);
  expect_good(layout, widths, edges);
  ASSERT_EQ(layout.edges[3].size(), 4U);
  for (const int layer : {1, 2}) {
    const auto node = static_cast<std::size_t>(layer);
    EXPECT_GT(std::abs(layout.edges[3][node].x - layout.nodes[node].x), 50);
  }
}

TEST(GraphLayout, RandomGraphsAndNone) {
  EXPECT_TRUE(lay_out({}, {}).nodes.empty());
  std::uint32_t state = 1;
  const auto random = [&](int below) {
    state = state * 1664525U + 1013904223U;
    return static_cast<int>(state >> 8) % below;
  };
  for (int round = 0; round < 20; ++round) {
    const int count = 5 + random(60);
    std::vector<double> widths;
    Edges edges;
    for (int i = 0; i < count; ++i) {
      widths.push_back(30 + random(100));
      for (int k = random(3); i > 0 && k > 0; --k) edges.emplace_back(random(i), i);
    }
    expect_good(lay_out(widths, edges), widths, edges);
  }
}

// --- the page

constexpr const char* kBadName = "</script><img src=x onerror=\"document.title='broken in'\">";

constexpr const char* kListener = R"(<script>
window.problems = [];
addEventListener('error', (event) => problems.push('error: ' + event.message));
</script>)";
constexpr const char* kHelpers = R"(<script>
const check = (good, what) => { if (!good) problems.push(what); };
// What a mouse would do where the element is seen.
const press = (element) => {
  if (element instanceof HTMLElement) element.scrollIntoView({block: 'nearest'});
  const r = element.getBoundingClientRect();
  const at = {bubbles: true, clientX: r.x + r.width / 2, clientY: r.y + r.height / 2};
  const hit = document.elementFromPoint(at.clientX, at.clientY);
  if (!hit || !element.contains(hit)) return check(false, 'covered: ' + element.textContent);
  for (const kind of ['pointerdown', 'pointerup']) hit.dispatchEvent(new PointerEvent(kind, at));
  hit.dispatchEvent(new MouseEvent('click', at));
};
const search = (words) => {
  const box = document.getElementById('search');
  box.value = words;
  box.dispatchEvent(new Event('input'));
};
const enter = () =>
    document.getElementById('search').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter'}));
const boxes = () => [...document.querySelectorAll('.node')];
const details = () => document.getElementById('details').textContent;
setTimeout(() => {
  try {
)";
constexpr const char* kAfter = R"(
  } catch (error) { problems.push(String(error)); }
  document.title = problems.length ? problems.join('; ') : 'all is well';
}, 600);
</script>
)";

class Page : public Program {
 protected:
  // Names that would be markup or script if they were not taken for text.
  std::string hostile_model() {
    pb::ModelProto model = make_model();
    auto* graph = model.mutable_graph();
    const std::string value = std::string("<!--<script>@data@") + kBadName;
    *graph->add_node() = make_node("Relu", {"x"}, {value}, kBadName);
    pb::NodeProto neg = make_node("Neg", {value}, {"y"}, "'\"><svg onload=alert(1)>");
    add_attribute(neg, "<b>", pb::AttributeProto::STRING)->set_s(kBadName);
    *graph->add_node() = neg;
    return save(model);
  }

  // What `script`, which runs at the end of a copy of the page, finds wrong; and every error that
  // the page itself has thrown.
  std::string title_after(const std::string& page, const std::string& script) {
    std::string text = contents(page);
    text.insert(text.rfind("</body>"), kHelpers + script + kAfter);
    text.insert(text.find("<head>") + 6, kListener);
    const auto* begin = reinterpret_cast<const std::byte*>(text.data());
    write("tested.html", {begin, begin + text.size()});
    const std::string command = browser() + " --headless --no-sandbox --disable-gpu" +
                                " --user-data-dir=" + file("profile") +
                                " --window-size=1200,800 --virtual-time-budget=5000 --dump-dom " +
                                "file://" + file("tested.html") + " >" + file("dom") + " 2>" +
                                file("browser_log");
    EXPECT_EQ(std::system(command.c_str()), 0) << contents(file("browser_log"));
    const std::string dom = contents(file("dom"));
    const std::size_t title = dom.find("<title>");
    if (title == dom.npos) return dom;
    return dom.substr(title + 7, dom.find("</title>") - title - 7);
  }

  static std::string browser() {
    for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
      const std::string probe = std::string("command -v ") + name + " >/dev/null 2>&1";
      if (std::system(probe.c_str()) == 0) return name;
    }
    return "";
  }
};

#define SKIP_WITHOUT_BROWSER() \
  if (browser().empty()) GTEST_SKIP() << "neither chromium nor google-chrome is there"

TEST_F(Page, IsCompleteInItself) {
  EXPECT_EQ(run("inspect " + kModel + " --html " + file("page.html")), 0) << err_;
  const std::string page = contents(file("page.html"));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  for (const char* what : {"src=", "href=", "@import", "url(", "fetch(", "XMLHttpRequest",
                           "innerHTML", "@page.", "@data@"}) {
    EXPECT_THAT(page, Not(HasSubstr(what)));
  }
  EXPECT_EQ(run("inspect " + kModel + " --html /nowhere/page.html"), 1);
  expect_one_line("cannot write '/nowhere/page.html'");
}

TEST_F(Page, NamesCannotEndTheirScript) {
  EXPECT_EQ(run("inspect " + hostile_model() + " --html " + file("page.html")), 0) << err_;
  const std::string page = contents(file("page.html"));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("<svg onload")));
  EXPECT_THAT(page, HasSubstr("\\u003c/script>\\u003cimg src=x"));
}

TEST_F(Page, HostileNamesAreShownAsText) {
  SKIP_WITHOUT_BROWSER();
  ASSERT_EQ(run("inspect " + hostile_model() + " --html " + file("page.html")), 0) << err_;
  EXPECT_EQ(title_after(file("page.html"), R"(
    const name = '\x3c/script>\x3cimg src=x onerror="document.title=\'broken in\'">';
    press(boxes()[0]);
    check(details().includes(name), 'no name in ' + details());
    press(boxes()[1]);
    check(details().includes('\x3cb> = '), 'no attribute in ' + details());
    check(document.querySelectorAll('img').length === 0, 'an img');
    check(document.querySelectorAll('script').length === 4, 'a script');
    check(document.querySelectorAll('svg').length === 1, 'an svg');)"),
            "all is well");
}

TEST_F(Page, SearchAndClickWork) {
  SKIP_WITHOUT_BROWSER();
  ASSERT_EQ(run("inspect " + kModel + " --html " + file("page.html") + " --profile"), 0) << err_;
  EXPECT_EQ(title_after(file("page.html"), R"(
    check(document.querySelectorAll('.timed').length > 5, 'no colours');
    const conv = boxes().find((box) => box.textContent.startsWith('Conv'));
    press(conv);
    check(conv.classList.contains('chosen'), 'not chosen');
    check(details().includes('kernel_shape = [3,3]'), 'no attributes in ' + details());
    check(/[0-9] ms, [0-9.]+ %/.test(details()), 'no time in ' + details());
    const next = [...document.querySelectorAll('#details button.link')].pop();
    const name = next.textContent;
    press(next);
    check(details().includes(name) && !conv.classList.contains('chosen'), 'not at ' + name);

    search('softmax');
    check(document.querySelectorAll('.found').length === 1, 'not found');
    enter();
    check(document.querySelector('.found').classList.contains('chosen'), 'enter');
    search('');
    check(document.querySelectorAll('.found').length === 0, 'not cleared');
    press(document.querySelector('#details .close'));
    check(document.getElementById('details').hidden, 'still open');

    const scale = () => Number(
        /scale\(([^)]*)\)/.exec(document.getElementById('scene').getAttribute('transform'))[1]);
    const before = scale();
    document.getElementById('view').dispatchEvent(new WheelEvent('wheel', {
      deltaY: -200, clientX: 100, clientY: 100, bubbles: true, cancelable: true}));
    check(scale() > before * 1.2, 'the wheel does not zoom');
    const wheeled = scale();
    press(document.getElementById('out'));
    check(scale() < wheeled, 'no smaller');
    const place = document.getElementById('scene').getAttribute('transform');
    const move = (kind, x) => document.getElementById('view').dispatchEvent(new PointerEvent(
        kind, {bubbles: true, pointerId: 1, clientX: x, clientY: 300}));
    move('pointerdown', 300); move('pointermove', 400); move('pointerup', 400);
    check(document.getElementById('scene').getAttribute('transform') !== place, 'not dragged');)"),
            "all is well");
}

TEST_F(Page, DrawsYoloxNanoInUnderASecond) {
  SKIP_WITHOUT_BROWSER();
  const std::string model = std::string(MINI_SHARED) + "/models/yolox_nano/model.onnx";
  if (!std::filesystem::exists(model)) GTEST_SKIP() << model << " does not exist";
  ASSERT_EQ(run("inspect " + model + " --html " + file("page.html")), 0) << err_;
  const char* script = R"(
    check(boxes().length === 371, 'boxes: ' + boxes().length);
    const ms = Number(document.documentElement.dataset.drawn);
    check(ms >= 0 && ms < 1000, 'drawn in ' + ms + ' ms');
    search('conv_41');
    enter();
    check(details().includes('FusedConv'), 'no step in ' + details());
    press(document.querySelector('.node.chosen'));)";
  // Other work on the machine may hold the browser up.
  std::string title;
  for (int round = 0; round < 5 && title != "all is well"; ++round)
    title = title_after(file("page.html"), script);
  EXPECT_EQ(title, "all is well");
}

}  // namespace
}  // namespace mini_infer::tools
