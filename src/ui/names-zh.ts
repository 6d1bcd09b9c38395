/*
 * Names in Simplified Chinese: operations, steps, disks, what lies on one, times. Pure.
 */
import type { Found } from "../model/loss.ts";
import type { DiskIdentity } from "../model/machine.ts";
import type { Operation } from "../model/operation.ts";
import { printSize } from "../model/size.ts";
import type { Step, StepKind } from "../model/step.ts";
import { printTime } from "../model/text.ts";

export const operations: Record<Operation, string> = {
  default: "恢复出厂设置",
  latest: "恢复到最近的备份",
  repair: "修复已安装的系统",
  test: "运行出厂测试",
};

const STEPS: Record<StepKind, string> = {
  "protect-disks": "把其他磁盘设为只读",
  "open-golden": "打开卡上的原始系统（只读，逐块校验）",
  "open-boot-files": "打开引导文件",
  "check-golden": "通读原始系统，逐块校验",
  "check-card": "检查卡上的救援系统和 GRUB",
  "check-backup": "检查备份：有效、可读、可启动",
  "claim-disk": "标记磁盘：正在安装",
  "clear-disk": "清除磁盘上的内容",
  "make-esp": "建立 ESP 并写入恢复记录",
  "write-table": "写入分区表",
  "open-esp": "打开磁盘的 ESP",
  "clear-claim": "去掉安装标记",
  "make-group": "建立卷组",
  "restore-group": "如有需要，修复卷组的元数据",
  "activate-group": "激活卷组",
  "make-volume": "建立逻辑卷",
  "make-filesystem": "建立文件系统",
  "copy-tree": "复制原始系统",
  "write-identity": "写入 fstab 和本机标识",
  "configure-grub": "由新系统生成 GRUB 配置",
  "verify-tree": "回读新系统并逐个文件比较",
  "install-boot": "安装 GRUB（BIOS 和 UEFI）与救援系统",
  "merge-backup": "把备份写回系统",
  "check-filesystem": "检查恢复后的文件系统",
  "check-root": "检查内核和模块是否齐全",
  "switch-root": "切换到新系统",
  "rename-volumes": "更改逻辑卷的名称",
  "remove-volume": "删除逻辑卷",
  "take-backup": "建立新的备份",
  "check-snapshot": "检查快照",
  "grow-volume": "扩大逻辑卷",
  "tag-volume": "标记逻辑卷",
  "watch-backup": "监视备份",
  "open-volumes": "打开已安装的系统（只读）和数据卷",
  "factory-test": "出厂测试",
  "vendor-tests": "厂商的出厂测试",
  "tidy-esp": "清理 ESP 上的旧文件",
  finish: "最后一次回读并关闭磁盘",
};

export function nameStep(step: Step): string {
  const name = nameIn(step);
  return name ? `${STEPS[step.kind]} ${name}` : STEPS[step.kind];
}

/** Of a volume, or of a test. */
function nameIn(step: Step): string | undefined {
  if (step.kind === "make-filesystem") return step.device.split("/").at(-1);
  if (step.kind === "factory-test") return step.test.name;
  return "name" in step ? step.name : undefined;
}

export const nameDisk = ({ model, serial, sizeBytes, path }: DiskIdentity) =>
  `${model === "" ? "型号未知的磁盘" : model}，${serial === "" ? "无序列号" : `序列号 ${serial}`}，${printSize(sizeBytes)}（${path}）`;

export const nameTime = (seconds: number) => (seconds === 0 ? "未记录的时间" : printTime(seconds));

/** What lies on a disk, part by part. */
export function nameFound(found: readonly Found[]): string {
  return found.map(namePart).join("；");
}

function namePart(part: Found): string {
  switch (part.kind) {
    case "table":
      return `${part.type} 分区表`;
    case "signature":
      return nameSignature(part);
    case "partition": {
      const { path, sizeBytes, signatures } = part;
      return `${path}（${[printSize(sizeBytes), ...signatures.map(nameSignature)].join("，")}）`;
    }
    case "group":
      return `卷组“${part.name}”（${part.volumes.join("、") || "没有逻辑卷"}）`;
    case "state":
      return `损坏的恢复记录（${nameRecorded(part.trouble)}）`;
    case "unknown":
      return part.text === "" ? "未知数据" : `未知数据（${nameRecorded(part.text)}）`;
  }
}

function nameSignature({ type, label }: { type: string; label: string }): string {
  return label === "" ? type : `${type}“${label}”`;
}

/** What the picture of a machine holds as English text, where it can be met every day. */
const RECORDED: readonly (readonly [RegExp, string])[] = [
  [/^(\S+) is mounted at (.+)$/, "$1 已挂载到 $2"],
  [/^(\S+) is used as swap$/, "$1 正用作交换空间"],
  [/^(\S+) is held by (.+)$/, "$1 被 $2 占用"],
  [/^this is not the rescue system of a card \(.*\)$/, "本机不是从恢复卡启动的"],
  [/^no partition carries golden's UUID, (\S+)$/, "没有找到恢复卡的分区（UUID $1）"],
  [/^LVM could not be asked: (.+)$/, "LVM 没有正常应答（系统报告“$1”）"],
];

/** In Chinese where it is known, else as a quotation. */
export function nameRecorded(text: string): string {
  const known = RECORDED.find(([pattern]) => pattern.test(text));
  return known ? text.replace(known[0], known[1]) : `系统报告“${text}”`;
}
