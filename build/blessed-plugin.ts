/*
 * esbuild plugin for blessed, which computes the names of the modules that it requires, so that no
 * bundler can follow them. Writes the requires out, for the widgets that the screens use.
 * Owns: that list. Left out are widgets that need a pty, an external program, or files beside them.
 */
import type { Plugin } from "esbuild";

const WIDGETS = [
  ...["Node", "Screen", "Element", "Box", "Text", "Line", "ScrollableBox", "ScrollableText"],
  ...["List", "Form", "Input", "Textarea", "Textbox", "Button", "ProgressBar", "Checkbox"],
  ...["RadioSet", "RadioButton", "Prompt", "Question", "Message", "Loading", "Listbar", "Log"],
  ...["Table", "ListTable", "Layout"],
];

/** What the widgets that are left out would load. */
export const NOT_BUNDLED = ["term.js", "pty.js"];

export const blessedPlugin: Plugin = {
  name: "blessed-widgets",
  setup(build) {
    build.onLoad({ filter: /\/blessed\/lib\/widget\.js$/ }, () => ({
      loader: "js",
      contents: [
        "var widget = exports;",
        `widget.classes = ${JSON.stringify(WIDGETS)};`,
        ...WIDGETS.map(
          (name) =>
            `widget.${name} = widget.${name.toLowerCase()} = ` +
            `require("./widgets/${name.toLowerCase()}");`,
        ),
        "widget.ListBar = widget.Listbar;",
      ].join("\n"),
    }));
  },
};
