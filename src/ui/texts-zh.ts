/*
 * The texts in Simplified Chinese. Pure.
 */
import type { Operation } from "../model/operation.ts";
import type { Result } from "../model/result.ts";
import { printSize } from "../model/size.ts";
import { printTime } from "../model/text.ts";
import { chinese, whyNotZh } from "./messages-zh.ts";
import { nameDisk, nameFound, nameRecorded, nameStep, nameTime, operations } from "./names-zh.ts";
import { nameFailure, nameReason } from "./reasons-zh.ts";
import { printSpan } from "./texts-en.ts";
import type { Choice } from "./choice.ts";
import type { Texts } from "./texts.ts";

const choices: Record<Choice, string> = {
  ...operations,
  again: "重试：从中断处继续",
  anew: "从头重新开始恢复",
  "test-again": "重新运行出厂测试",
  menu: "恢复菜单",
  golden: "启动原始系统（只读）",
  plan: "查看计划：将要执行的命令",
  log: "查看日志",
  report: "把报告保存到 ZS-REPORTS U 盘",
  look: "重新检查本机",
  reboot: "重新启动",
  poweroff: "关机",
  back: "返回",
};

const outcomes: Record<Result["outcome"], string> = {
  success: "成功",
  refused: "被拒绝，没有任何改动",
  failed: "失败",
};

const sized = (bytes: number) => (bytes === 0 ? "" : `，${printSize(bytes)}`);
const sinceOf = (seconds: number) =>
  seconds === 0 ? "备份之后，" : `${printTime(seconds)} 之后，`;

export const ZH: Texts = {
  operations,
  choices,
  outcomes,
  title: "系统恢复",
  comma: "，",
  semicolon: "；",
  keys: {
    menu: "上下键或数字选择   回车开始   D：详细信息   Ctrl-L 重画",
    details: "上下键移动   Esc 返回",
    consent: "回车开始   Esc 返回",
    read: "上下键、PgUp/PgDn 翻页   Esc 返回",
    running: "C 取消",
    runningChanged: "C：为什么不能取消",
    verdict: "上下键或数字选择   回车开始   Q：二维码",
    finished: "回车继续   Q：二维码",
    code: "Esc 返回",
    secret: "回车",
    wait: "请稍候",
  },

  machine({ vendor, model, serial, memoryBytes, firmware }) {
    const name = [vendor, model].filter((text) => text !== "").join(" ");
    return (
      `${name === "" ? "未知机型" : name}${serial === "" ? "" : `，序列号 ${serial}`}，` +
      `内存 ${printSize(memoryBytes)}，${firmware.toUpperCase()}`
    );
  },
  card({ card, cardTrouble }) {
    if (!card)
      return `恢复卡：无（${cardTrouble === undefined ? "未找到" : nameRecorded(cardTrouble)}）`;
    const { product, version, lab } = card.description;
    return `恢复卡：${product} ${version}${lab ? "（实验用，禁止出货）" : ""}`;
  },
  disk: nameDisk,
  holds(holds) {
    switch (holds.kind) {
      case "card":
        return `恢复卡，版本 ${holds.version}`;
      case "blank":
        return "空白";
      case "begun":
        return "安装刚刚开始，还没有内容";
      case "interrupted":
        return `“${operations[holds.operation]}”中断于第 ${holds.step} 步，共 ${holds.total} 步`;
      case "ours":
        return `已安装的系统，版本 ${holds.version}`;
      case "torn":
        return `已安装的系统，版本 ${holds.version}，其逻辑卷无法读取：请修复`;
      case "foreign":
        return nameFound(holds.what);
    }
  },
  use: ({ use }) => (use.kind === "used" ? "将使用此磁盘" : `不使用：${whyNotZh(use)}`),
  noDisk: "没有找到磁盘。",
  groupsTrouble: (trouble) => `无法读取卷组：${nameRecorded(trouble)}`,
  say: chinese,
  backup(backup) {
    if (!backup) return "最近的备份：无";
    const { timeSeconds, version, sizeBytes, percent, valid } = backup;
    return (
      `最近的备份：${nameTime(timeSeconds)}，版本 ${version || "未记录"}，` +
      `${printSize(sizeBytes)} 已用 ${percent} %，${valid ? "有效" : "无效！"}`
    );
  },
  lastRecovery: (last) =>
    last
      ? `上次恢复：${operations[last.operation as Operation] ?? last.operation}，版本 ${last.version}，` +
        `${nameTime(last.timeSeconds ?? 0)}：${outcomes[last.outcome]}`
      : "上次恢复：无记录",
  noChinese: "zshield.lang=zh: this console cannot show Chinese",
  more: (count) => `… 还有 ${count} 行（D：详细信息）`,
  moreInLog: (count) => `… 还有 ${count} 行，见日志`,
  choose: "请选择操作。在您选择之前不会开始任何操作。",
  whichPlan: "查看哪种恢复的计划？",
  waiting: "请稍候 …",

  plan: ({ operation, version }) => `${operations[operation]}，版本 ${version}`,
  onDisk: (disk) => `磁盘：${nameDisk(disk)}`,
  willBeLost: "将会丢失：",
  nothingLost: "不会丢失任何数据。",
  losesNothing: ({ operation }) =>
    `不会丢失任何数据${operation === "default" ? "，磁盘是空白的" : ""}`,
  asksFirst: "开始前会先询问",
  asksNobody: "不询问，直接开始",
  wouldGoOn: (step) => `被中断的恢复将从第 ${step} 步继续`,
  willBeKept: "将会保留：",
  loss(loss) {
    switch (loss.kind) {
      case "content":
        return `此磁盘上的全部内容（${printSize(loss.sizeBytes)}）：${nameFound(loss.what)}`;
      case "everything": {
        const volumes = loss.volumes.map(
          ({ name, sizeBytes }) => `${name}（${printSize(sizeBytes)}）`,
        );
        return `磁盘上的全部内容，包括用户数据和审计数据：${volumes.join("、")}`;
      }
      case "system":
        return `已安装的系统及其设置（root 卷${sized(loss.sizeBytes)}）`;
      case "backup":
        return `最近的备份（${nameTime(loss.timeSeconds)}${sized(loss.sizeBytes)}）`;
      case "snapshot":
        return `${loss.name}：不是 zshield 建立的 root 卷快照（${printSize(loss.sizeBytes)}）`;
      case "changes":
        return (
          `${sinceOf(loss.sinceSeconds)}系统（root 卷）中的全部改动` +
          (loss.sizeBytes === 0 ? "" : `（${printSize(loss.sizeBytes)}）`)
        );
      case "words":
        return loss.text;
    }
  },
  keeping(kept) {
    switch (kept.kind) {
      case "user":
        return `用户数据（${kept.mount}${sized(kept.sizeBytes)}）`;
      case "audit":
        return `审计数据（${kept.mount}${sized(kept.sizeBytes)}）`;
      case "backed-up":
        return `${kept.sinceSeconds === 0 ? "最近一次" : `${printTime(kept.sinceSeconds)} `}备份的系统（${kept.reason || "未注明原因"}${sized(kept.sizeBytes)}）`;
      case "all":
        return "已安装的系统、备份、用户数据和审计数据：只写入损坏的部分";
    }
  },
  question: (serial, answer) =>
    serial === ""
      ? `输入 ${answer} 并按回车开始，或按 Esc 返回。`
      : `输入磁盘序列号（${serial}）的最后 ${answer.length} 个字符并按回车开始，或按 Esc 返回。`,
  wrong: "输入不正确。没有任何改动。",

  step: nameStep,
  stepOf: (index, total) => `第 ${index + 1} 步，共 ${total} 步`,
  whole: "总进度",
  left: (seconds) => `剩余 ${printSpan(seconds)}`,
  resumed: (step) => `被中断的恢复从第 ${step} 步继续。`,
  log: "日志",
  cancelling: "正在取消 …",
  tooLate: "已经不能取消：磁盘已被改动，在恢复完成之前没有完整的系统。如果断电，恢复会自动继续。",

  verdicts: { success: "RECOVERED", refused: "REFUSED", failed: "FAILED" },
  done: ({ operation, version }) =>
    `${operations[operation as Operation] ?? operation}：成功。磁盘上的版本是 ${version}。`,
  tests: {
    box: (serial, version) => `序列号 ${serial === "" ? "未知" : serial}，版本 ${version}`,
    counts: (passed, failed, skipped) => `${passed} 项通过，${failed} 项失败，${skipped} 项跳过`,
    failure: ({ name, origin, reason }) => nameReason({ name, reason }, origin),
    recorded: nameFailure,
    others: "其他失败项：",
    tooLate: "已经不能取消。已安装的系统保持不变；如果断电，测试会自动继续。",
    ended: "出厂测试尚未结束。已安装的系统保持不变。",
  },
  testsFollow: "之后运行出厂测试",
  testsFailed: (reason) => `本机未通过出厂测试：${nameFailure(reason)}`,
  unchanged: "没有改动任何磁盘。",
  changed: "磁盘已被改动，还没有完整的系统。",
  why: "原因：",
  next: "下一步：",
  ending: (ending, seconds) =>
    `${{ reboot: "重新启动", poweroff: "关机" }[ending] ?? "停机"}：${seconds} 秒后，或立即按回车。`,
  goesOnInstalled: "现在可以使用本机。恢复卡可以留下，也可以取出。",
  leftOut: (count) => `……前面的 ${count} 行已省略`,
  codeTooLarge: "此控制台放不下二维码。",
  elsewhere: (console) => `恢复显示在 ${console} 上；在那里或在这里回答都可以`,
};
