/*
 * The messages of model/messages.ts in Simplified Chinese. It has the type of the English ones, so a message that
 * is missing is a compile error. Words of a tool, which have no Chinese, stand as a quotation in a sentence that
 * has. Pure.
 */
import type { CommandOutcome } from "../errors.ts";
import type { DiskSelector } from "../model/cmdline.ts";
import type { Difference } from "../model/machine.ts";
import type { Messages, Row } from "../model/messages.ts";
import type { WhyNot } from "../model/overview.ts";
import { printSize } from "../model/size.ts";
import type { Words } from "../words.ts";
import { nameDisk, nameFound, nameRecorded, nameStep, operations } from "./names-zh.ts";

export function chinese(words: Words): string {
  if (typeof words === "string") return words;
  const make = MESSAGES_ZH[words.key as keyof Messages] as (
    ...params: readonly unknown[]
  ) => string;
  return make(...words.params);
}

/** Words in a sentence of ours: what has no Chinese is a quotation. */
const inside = (words: Words) => (typeof words === "string" ? nameRecorded(words) : chinese(words));

const matching = (selector: DiskSelector | undefined) =>
  selector === undefined ? "" : `符合 ${selector.by}:${selector.text} 的`;
const listed = (rows: readonly Row[]) =>
  rows
    .map(
      ({ disk, device, words }) =>
        `  ${device === undefined ? "" : `${device}，位于 `}${nameDisk(disk)}：${inside(words)}`,
    )
    .join("\n");
const listedOrNone = (rows: readonly Row[]) =>
  rows.length === 0 ? "没有找到任何磁盘" : listed(rows);

const CHOOSE_DEFAULT = "请选择“恢复出厂设置”，用户数据和审计数据会保留";
const ANEW_OR_BROKEN = "请在控制台选择从头重新开始；如果再次停在这里，磁盘很可能已经损坏";
const AGAIN = "请重新选择";

export const MESSAGES_ZH: Messages = {
  "no-card": (trouble) =>
    `无法使用恢复卡上的原始系统：${trouble === undefined ? "没有找到恢复卡" : nameRecorded(trouble)}`,
  "put-card-in": () => "请插入恢复卡，并从恢复卡启动",
  "missing-tools": (tools) => `此救援系统缺少工具：${tools.join("、")}`,
  "make-card-anew": () => "请重新制作恢复卡；`zshield tools` 会列出所需的工具",
  "groups-untold": (trouble) => `无法确定磁盘上有哪些数据：${nameRecorded(trouble)}`,
  "take-out-silent-disk": () => "请取出没有应答的磁盘，然后重新开始",
  "no-room-for-golden": (treeBytes, rootBytes) =>
    `原始系统需要 ${printSize(treeBytes)}，而 root 卷只有 ${printSize(rootBytes)}`,
  "larger-disk": () => "请换用更大的磁盘",
  "larger-disk-or-card": () => "请换用更大的磁盘，或换用 zshield.toml 不同的恢复卡",
  "same-name": (name, groups) => {
    const list = groups.map(
      ({ uuid, where, sizeBytes, isHere }) =>
        `  ${uuid}，位于 ${where}，${printSize(sizeBytes)}${isHere ? "，在本磁盘上" : ""}`,
    );
    return `另一个磁盘上也有名为“${name}”的卷组，安装后的系统无法区分两者：\n${list.join("\n")}`;
  },
  "take-out-or-rename": () => "请取出那个磁盘，或更改其卷组的名称",

  "no-disk": (selector, rows) => `没有${matching(selector)}磁盘可供安装：\n${listedOrNone(rows)}`,
  "several-disks": (count, selector, rows) =>
    `有 ${count} 个${matching(selector)}磁盘可供安装，无法确定使用哪一个：\n${listed(rows)}`,
  "no-installed-disk": (selector, rows) =>
    `没有${matching(selector)}磁盘装有 zshield 系统：\n${listedOrNone(rows)}`,
  "several-installed": (count, selector, rows) =>
    `有 ${count} 个${matching(selector)}磁盘装有 zshield 系统，无法确定使用哪一个：\n${listed(rows)}`,
  "name-disk": () =>
    "请在内核命令行中指定磁盘，例如 zshield.disk=serial:ABC123，或者接上正确的磁盘",
  "attach-or-default": () => "请接上正确的磁盘，或选择“恢复出厂设置”",
  "could-be-used": () => "可以使用",
  "holds-installation": () => "装有 zshield 系统",
  "why-not": (why) => whyNotZh(why),
  "is-blank": () => "空白磁盘",
  "begun-here": () => "安装刚刚开始，还没有内容",
  holds: (found) => `含有 ${nameFound(found)}`,
  "state-trouble": (trouble) => `其恢复记录无效（${nameRecorded(trouble)}）`,
  "no-state": () => "没有 zshield 的恢复记录",
  "state-of-other-disk": (difference) => `其恢复记录属于另一个磁盘：${differs(difference)}`,
  "group-not-found": () => "没有找到其卷组",
  "group-not-whole": (trouble) =>
    `其卷组不完整，或不属于 zshield${trouble === undefined ? "" : `（${nameRecorded(trouble)}）`}`,

  "no-journal": (disk, attempts) =>
    `${nameDisk(disk)}：连续 ${attempts} 次恢复都在写入恢复记录之前中断`,
  stuck: (attempts, step, reason) =>
    `恢复连续 ${attempts} 次都停在“${inside(step)}”，无法继续：${inside(reason)}`,
  "way-there": () => "到达下一步骤之前",
  "power-failed": () => "断电或本机被复位",
  "anew-or-broken": () => ANEW_OR_BROKEN,
  torn: (disk) => `无法读取 ${nameDisk(disk)} 上的卷组：更改逻辑卷时断电`,
  "repair-first": () =>
    "请选择“修复已安装的系统”，卷组会恢复原状；zshield.keep=nothing 则放弃卷组中的全部数据",
  "other-interrupted": (disk, step) =>
    `${nameDisk(disk)} 上的另一次恢复中断于“${inside(step)}”，系统不完整`,
  "goes-on-by-itself": (operation) =>
    `请重新启动本机，不做任何选择，那次恢复（${operations[operation]}）就会继续`,
  step: nameStep,
  "its-end": () => "结束",
  closing: () => "结束恢复并关闭磁盘",

  "erase-other-disk": (disk, erase, found) =>
    `${nameDisk(disk)} 不是 zshield.erase=${erase} 所指的磁盘，含有 ${nameFound(found)}`,
  "correct-erase": () => "请更正序列号，或去掉 zshield.erase=，在控制台上回答",
  "not-blank": (disk, found) =>
    `${nameDisk(disk)} 不是空白磁盘，也没有装 zshield 系统，含有 ${nameFound(found)}`,
  "use-erase": () =>
    "如果其中的数据可以丢弃，请用 zshield.erase= 加上该磁盘的序列号，恢复时不再询问",
  "other-table": (disk) => `${nameDisk(disk)} 的分区表已被改动，不是 zshield 写入的`,
  "cannot-keep": (disk, volumes) =>
    `${nameDisk(disk)} 上的卷组已被改动（名称、标签或逻辑卷 ${volumes.join("、")}），其中的数据无法保留`,
  "keep-nothing": () => "zshield.keep=nothing 会重建整个磁盘，不保留任何数据",
  "no-room-for-root": (rootBytes) =>
    `卷组的空间不足以建立 ${printSize(rootBytes)} 的新 root 卷，即使删除旧的 root 卷也不够`,
  "no-room-for-backup": (freeBytes, leastBytes) =>
    `完成后卷组没有空间建立备份：剩余 ${printSize(freeBytes)}，至少需要 ${printSize(leastBytes)}`,
  "make-room": (group) =>
    `请删除或缩小 ${group} 中不需要的逻辑卷；zshield.keep=nothing 会重建整个磁盘，不保留任何数据`,
  "no-root": (group, uuid, root) => `卷组 ${group}（${uuid}）中没有逻辑卷 ${root}`,
  "choose-default": () => CHOOSE_DEFAULT,
  "no-backup": (disk, isBegun) =>
    `${nameDisk(disk)} 上没有备份${isBegun ? "，只有一个未完成的备份" : ""}`,
  "invalid-backup": (disk) =>
    `${nameDisk(disk)} 上的备份无效：快照空间已写满或已损坏，无法再恢复到该备份`,
  "other-snapshots": (disk, names) =>
    `${nameDisk(disk)} 上的 root 卷有不是 zshield 建立的快照（${names.join("、")}），恢复会丢失这些快照，而此时不询问`,
  "remove-snapshots": (group) =>
    `请在控制台选择恢复，开始前会先询问；或删除这些快照（lvremove ${group}/NAME）`,
  "no-boot-files": (disk, trouble) =>
    `${nameDisk(disk)} 上没有完整的 GRUB 文件和救援系统，也没有恢复卡` +
    `（${trouble === undefined ? "未找到" : nameRecorded(trouble)}）`,

  cancelled: () => "已在控制台上取消",
  "not-agreed": () => "输入的内容不正确，恢复没有开始",
  "no-factory-tests": () => "没有出厂测试：此救援系统的 zshield.toml 中没有 [factory] 表",
  "without-tests": () =>
    "请从带有该表的恢复卡启动；在 GRUB 中选择 `Boot the installed system`，可以不经测试直接启动本机；" +
    "用此卡“恢复出厂设置”则不再要求测试",
  "choose-again": () => AGAIN,
  "disk-gone": (disk) => `${nameDisk(disk)} 已经不在了`,
  "other-disk": (disk, difference) =>
    `${nameDisk(disk)} 不是计划使用的磁盘：${differs(difference)}`,
  "disk-read-only": (disk) => `${nameDisk(disk)} 是只读的`,
  "disk-in-use": (disk, uses) =>
    `${nameDisk(disk)} 正在使用中：${uses.map(nameRecorded).join("，")}`,
  "look-at-cables": () => "没有写入任何数据；请检查本机的连接线，然后重新开始",
  "other-card": () => "恢复卡不是制定这次恢复计划时所用的那一张",
  "put-that-card-in": () => "请插入原来的恢复卡",
  "bad-backup": (name, why) =>
    `备份 ${name} 无效（内核报告 ${why}）：快照空间已写满或已损坏，无法再恢复到该备份`,
  "no-snapshot": (name) => `${name} 不是快照`,
  "unreadable-backup": (name, trouble) => `无法读取备份 ${name}：${nameRecorded(trouble)}`,

  "at-step": (index, total, step, cause) =>
    `第 ${index + 1} 步（共 ${total} 步）“${inside(step)}”失败：${inside(cause)}`,
  command: (program, outcome) => `命令 ${program} ${endedZh(outcome)}，其输出见日志`,
  "root-differs": (differences) =>
    `新系统与原始系统不一致，共 ${differences.length} 处，` +
    `例如“${differences.slice(0, 5).join("; ")}”`,
  "bad-manifest": () => "恢复卡上原始系统的文件清单与其校验值不符",
  "bad-file": (path, why) => `文件 ${path} 缺失或已损坏（系统报告“${why}”）`,
  "unreadable-at": (path, atBytes, trouble) =>
    `${path} 在 ${printSize(atBytes)} 处无法读取（系统报告“${trouble}”）`,
  "ends-early": (path, atBytes, wantedBytes) =>
    `${path} 只有 ${printSize(atBytes)}，应有 ${printSize(wantedBytes)}`,
  "not-appeared": (path, seconds) => `等待 ${seconds} 秒后，${path} 仍未出现`,
  "half-merged": (name, why) =>
    `写回备份 ${name} 失败（内核报告 ${why}）：root 卷一半是备份的内容，一半是原来的内容；` +
    "只有“恢复出厂设置”能使其完整",
  "merge-open": (root) =>
    `把备份写回 ${root} 的过程没有完成：root 卷一半是备份的内容，一半是原来的内容`,
  "choose-latest": () => "请选择“恢复到最近的备份”，它会完成这一过程",
  "other-root": (root) => `${root} 不是本机要启动的 root 卷：恢复出厂设置在更换新旧 root 卷时断电`,
  "merge-stands-still": (name, minutes) => `写回备份 ${name} 已有 ${minutes} 分钟没有进展`,
  "goes-on": () => "请再次开始同一恢复，它会从中断处继续",
  "correct-cause": () => "请排除原因，然后重新开始",
  bug: (trouble) => `zshield 程序出错（系统报告“${trouble}”）`,
  "report-bug": () => "请把日志中的内容报告给开发者",
  refused: () => "被拒绝，没有任何改动：",

  begins: (version) => `zshield ${version}：系统恢复`,
  "waiting-for-disks": () => "正在等待恢复卡和磁盘就绪 …",
  "lost-snapshots": (names) => `不是 zshield 建立的 root 卷快照已随恢复丢失：${names.join("、")}`,
  "no-audit-report": (cause) => `报告没有写入审计数据卷：${inside(cause)}`,
  "volume-full": () => "该卷已满",
  "no-look": (cause) => `无法检查本机的磁盘：${inside(cause)}`,
  "no-golden": (cause) => `无法启动原始系统：${inside(cause)}`,
  "there-is-no-card": () => "没有恢复卡",
  password: () => "请输入恢复密码并按回车：",
  "wrong-password": () => "恢复密码不正确。",
  "unchecked-password": (trouble) => `无法核对密码（系统报告“${trouble}”）。`,
  "next-try": (trouble, seconds) => `${inside(trouble)}请在 ${seconds} 秒后重试。`,
  rebooting: () => "正在重新启动",
  "switching-off": () => "正在关机",
  halted: () => "系统已停止，可以切断电源",
  "starting-golden": () => "正在启动原始系统",
  "starting-shell": () => "按 zshield.then=shell 的要求打开 shell；退出后本机停止运行",

  "looking-for-stick": (label) => `正在查找卷标为 ${label} 的 U 盘 …`,
  "silent-stick": () => "U 盘没有应答，报告没有保存",
  "several-sticks": (count, label, rows) =>
    `有 ${count} 个卷标为 ${label} 的文件系统，无法确定使用哪一个：\n${listed(rows)}`,
  "pull-others-out": () => "报告没有保存；请拔出多余的 U 盘后重试",
  "no-stick": (label, rows) =>
    rows.length === 0
      ? `没有找到卷标为 ${label} 的 U 盘`
      : `没有可以保存报告的 ${label} U 盘：\n${listed(rows)}`,
  "put-stick-in": (label) =>
    `报告没有保存；请插入卷标为 ${label}、格式为 FAT 或 ext4 的 U 盘后重试`,
  "on-card": () => "位于恢复卡上",
  "on-planned-disk": () => "位于这次恢复所用的磁盘上",
  "on-installed-disk": () => "位于装有 zshield 系统的磁盘上",
  "on-used-disk": (uses) => `所在磁盘正在使用中（${uses.map(nameRecorded).join("，")}）`,
  "other-file-system": (type) => `格式是 ${type}，不是 FAT 或 ext4`,
  "report-saved": (name, files, bytes) =>
    `报告已保存到 U 盘：${name}（${files} 个文件，${printSize(bytes)}）；现在可以拔出 U 盘`,
  "report-not-saved": (device, why) => `无法把报告保存到 ${device}：${inside(why)}`,
  "stick-full": () => "U 盘已满",
  "stick-protected": () => "U 盘有写保护",
  "stick-not-whole": () => "U 盘上的内容可能不完整；请换一个 U 盘重试",
};

export function whyNotZh(why: WhyNot): string {
  switch (why.kind) {
    case "card":
      return "这是恢复卡";
    case "read-only":
      return "只读";
    case "in-use":
      return `正在使用中（${why.by.map(nameRecorded).join("，")}）`;
    case "removable":
      return "可移动磁盘，且未被指定";
    case "small":
      return `小于所需的 ${printSize(why.neededBytes)}`;
    case "not-named":
      return "不是指定的磁盘";
    case "several":
      return "有多个磁盘可用";
  }
}

function differs({ of, found, wanted }: Difference): string {
  const what = { serial: "序列号", wwn: "WWN", size: "容量（字节）", model: "型号" }[of];
  return `${what}是“${found}”，而不是“${wanted}”`;
}

function endedZh(outcome: CommandOutcome): string {
  switch (outcome.kind) {
    case "exit":
      return `以退出码 ${outcome.code} 结束`;
    case "signal":
      return `被信号 ${outcome.signal} 终止`;
    case "not-found":
      return "无法启动，没有这个程序";
    case "timed-out":
      return `在 ${outcome.timeoutMs / 1000} 秒内没有结束`;
  }
}
